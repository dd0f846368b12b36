"""Positions in epochs, means over epochs, time from logged speeds."""

from __future__ import annotations

import math

import pytest

from resnet_zoo.report.curves import Curves
from resnet_zoo.report.metrics_table import MetricsTable, Row


def curves(*rows: tuple[int, int, dict[str, float]], updates_per_epoch: int | None = None) -> Curves:
    columns = tuple(dict.fromkeys(name for _, _, values in rows for name in values))
    return Curves(MetricsTable(columns, tuple(Row(*row) for row in rows)), updates_per_epoch)


def test_positions_count_completed_epochs() -> None:
    run = curves(*((10 * (epoch + 1), epoch, {"train/loss": 1.0}) for epoch in range(3)))
    assert [run.position(step) for step in (0, 5, 10, 25, 30)] == [0.0, 0.5, 1.0, 2.5, 3.0]
    assert run.epochs == 3.0


def test_the_epoch_in_progress_is_as_long_as_the_others() -> None:
    run = curves((10, 0, {"train/loss": 1}), (20, 1, {"train/loss": 1}), (22, 2, {"train/loss": 1}))
    assert run.epochs == pytest.approx(2.2)


def test_the_first_epoch_in_progress_is_as_long_as_the_data_say() -> None:
    row = (4, 0, {"train/loss": 1.0})
    assert curves(row, updates_per_epoch=16).epochs == 0.25
    assert curves(row).epochs == 1.0
    assert curves((4, 0, {"train/loss": 1.0, "val/loss": 1.0}), updates_per_epoch=16).epochs == 1.0


def test_the_final_test_is_no_epoch() -> None:
    run = curves((10, 0, {"train/loss": 1}), (20, 1, {"train/loss": 1}), (20, 2, {"test/top1": 90}))
    assert run.epochs == 2.0
    assert curves((20, 2, {"test/top1": 90})).epochs == 0.0
    assert curves().epochs == 0.0


def test_training_is_averaged_over_each_epoch_by_updates() -> None:
    rows = []
    for epoch in range(6):
        rows += [(10 * epoch + 8, epoch, {"train/loss": 1.0}), (10 * epoch + 10, epoch, {"train/loss": 6.0})]
    run = curves(*rows)
    assert run.training("train/loss").x == [1, 2, 3, 4, 5, 6]
    assert run.training("train/loss").y == pytest.approx([2.0] * 6)


def test_a_short_run_shows_every_row() -> None:
    run = curves((5, 0, {"train/loss": 3.0}), (10, 0, {"train/loss": 2.0}), (15, 1, {"train/loss": 1.0}))
    assert run.training("train/loss").y == [3.0, 2.0, 1.0]


def test_time_follows_from_the_logged_speeds() -> None:
    run = curves((10, 0, {"speed/images_per_second": 100.0}), (20, 1, {"speed/images_per_second": 50.0}))
    seconds, speed = run.speed(global_batch_size=50) or (0, 0)
    assert seconds == pytest.approx(10 * 50 / 100 + 10 * 50 / 50)
    assert speed == pytest.approx(20 * 50 / seconds)
    assert math.isnan((run.speed(None) or (0, 0))[0])
    assert curves((10, 0, {"train/loss": 1})).speed(50) is None
