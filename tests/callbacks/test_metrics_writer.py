"""A row every N updates over exactly the images since the last one, and nothing fetched in between."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from resnet_zoo.callbacks import MetricsWriter
from resnet_zoo.metrics import TopKCounts


def steps(rows: list[dict[str, Any]], name: str) -> list[int]:
    return [row["step"] for row in rows if name in row]


def test_rows_come_every_n_updates_and_at_the_end_of_every_epoch(
    make_trainer: Any, module: Any, images: Any, memory: Any
) -> None:
    make_trainer(callbacks=[MetricsWriter()], logger=memory).fit(module(), images(32))
    assert steps(memory.rows, "train/loss") == [3, 6, 8, 9, 12, 15, 16]
    assert [row["epoch"] for row in memory.rows] == [0, 0, 0, 1, 1, 1, 1]
    assert list(memory.rows[0]) == [
        "step", "epoch", "train/loss", "train/top1", "train/top5", "lr", "speed/images_per_second",
    ]  # fmt: skip
    assert {row["lr"] for row in memory.rows} == {0.5}
    assert all(row["speed/images_per_second"] > 0 for row in memory.rows)


def test_a_row_is_the_mean_over_the_images_since_the_last(
    make_trainer: Any, module: Any, images: Any, memory: Any
) -> None:
    trained = module()
    make_trainer(callbacks=[MetricsWriter()], logger=memory, max_epochs=1).fit(trained, images(30))
    since = [trained.all_losses[0:3], trained.all_losses[3:6], trained.all_losses[6:8]]
    expected = [torch.cat(losses).double().mean().item() for losses in since]
    assert [row["train/loss"] for row in memory.rows] == pytest.approx(expected, rel=1e-12)


def test_accumulated_batches_make_one_update(
    make_trainer: Any, module: Any, images: Any, memory: Any
) -> None:
    trainer = make_trainer(
        callbacks=[MetricsWriter()], logger=memory, accumulate_grad_batches=2, max_epochs=1
    )
    trainer.fit(module(), images(40))
    assert steps(memory.rows, "train/loss") == [3, 5]


def test_counts_are_fetched_for_a_row_and_at_no_other_time(
    make_trainer: Any, module: Any, images: Any, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = []
    scores = TopKCounts.scores
    monkeypatch.setattr(TopKCounts, "scores", lambda self: fetched.append(self) or scores(self))
    make_trainer(callbacks=[MetricsWriter()], logger=memory, log_every_n_steps=10).fit(module(), images(100))
    assert len(fetched) == len(memory.rows) == 6


def test_log_every_0_steps_leaves_one_row_an_epoch(
    make_trainer: Any, module: Any, images: Any, memory: Any
) -> None:
    make_trainer(callbacks=[MetricsWriter()], logger=memory, log_every_n_steps=0).fit(module(), images(32))
    assert steps(memory.rows, "train/loss") == [8, 16]


def test_a_validation_is_a_row_at_the_count_of_updates_it_was_made_after(
    make_trainer: Any, module: Any, images: Any, memory: Any
) -> None:
    trained = module()
    trainer = make_trainer(callbacks=[MetricsWriter()], logger=memory, val_check_interval=4)
    trainer.fit(trained, images(32), images(10))
    assert steps(memory.rows, "val/top1") == [4, 8, 12, 16]
    assert steps(memory.rows, "train/top1") == [3, 4, 6, 8, 9, 12, 15, 16]
    last = memory.rows[-1]
    assert (last["val/loss"], last["val/top1"]) == (trained.scores["val"].loss, trained.scores["val"].top1)
    assert last["epoch"] == 1


def test_a_test_after_training_is_a_row_and_one_on_its_own_is_not(
    make_trainer: Any, module: Any, images: Any, memory: Any
) -> None:
    trained = module()
    trainer = make_trainer(callbacks=[MetricsWriter()], logger=memory)
    trainer.test(trained, images(10), verbose=False)
    assert memory.rows == []
    trainer.fit(trained, images(32))
    trainer.test(trained, images(10), verbose=False)
    assert steps(memory.rows, "test/top1") == [16]


def test_the_last_row_is_kept_for_whoever_shows_progress(make_trainer: Any, module: Any, images: Any) -> None:
    writer = MetricsWriter()
    assert writer.latest == {}
    make_trainer(callbacks=[writer]).fit(module(), images(32))
    assert {"train/loss", "train/top1", "lr", "speed/images_per_second"} <= set(writer.latest)


def test_sanity_checking_writes_nothing(make_trainer: Any, module: Any, images: Any, memory: Any) -> None:
    trainer = make_trainer(callbacks=[MetricsWriter()], logger=memory, num_sanity_val_steps=1, max_steps=1)
    trainer.fit(module(), images(32), images(10))
    assert [row["step"] for row in memory.rows] == [1]
