"""Curves of a run over its epochs, from the rows of its table."""

from __future__ import annotations

import bisect
import math
import statistics
from typing import NamedTuple

from resnet_zoo.report.metrics_table import MetricsTable, Row

MEAN_FROM_EPOCHS = 5
"""A run of so many complete epochs shows one training value an epoch; a shorter one shows every row."""


class Curve(NamedTuple):
    """Positions in epochs completed, and values."""

    x: list[float]
    y: list[float]


class Curves:
    """The curves of one run.

    Args:
        table: its rows.
        updates_per_epoch: as the data and the batch size give it; only needed while the first epoch is in progress.
    """

    def __init__(self, table: MetricsTable, updates_per_epoch: int | None = None) -> None:
        self.table = table
        self._steps, self._epochs = _epoch_ends(table, updates_per_epoch)

    @property
    def epochs(self) -> float:
        """Epochs trained so far; a fraction within one."""
        return self.position(self.updates)

    @property
    def updates(self) -> int:
        """Updates made so far, as far as they were logged."""
        return self.table.rows[-1].step if self.table.rows else 0

    def position(self, step: int) -> float:
        """The epochs completed after ``step`` updates; 0 where no epoch was ever logged."""
        steps, epochs = self._steps, self._epochs
        if len(steps) < 2:
            return 0.0
        after = min(max(bisect.bisect_left(steps, step), 1), len(steps) - 1)
        share = (step - steps[after - 1]) / (steps[after] - steps[after - 1])
        return epochs[after - 1] + share * (epochs[after] - epochs[after - 1])

    def evaluations(self, metric: str) -> Curve:
        """A metric as often as it was logged."""
        found = self.table.column(metric)
        return Curve([self.position(row.step) for row, _ in found], [value for _, value in found])

    def training(self, metric: str) -> Curve:
        """A metric of the training, whose rows are means over the images since the row before: their mean over
        each epoch, or the rows themselves in a short run.
        """
        found = _with_spans(self.table.column(metric))
        if math.floor(self.epochs) < MEAN_FROM_EPOCHS:
            return Curve([self.position(row.step) for row, _, _ in found], [value for _, value, _ in found])
        sums: dict[int, tuple[float, int]] = {}
        for row, value, span in found:
            if row.epoch is not None:
                total, weight = sums.get(row.epoch, (0.0, 0))
                sums[row.epoch] = total + value * span, weight + span
        ends = {row.epoch: row.step for row, _, _ in found if row.epoch is not None}
        return Curve(
            [self.position(ends[epoch]) for epoch in sums],
            [total / weight for total, weight in sums.values()],
        )

    def speed(self, global_batch_size: int | None) -> tuple[float, float] | None:
        """Seconds of training and mean images per second, from the logged speeds; None where none was logged.

        A row's speed says how long its updates took. Validation is not in it. Without ``global_batch_size`` the
        seconds are unknown (NaN).
        """
        found = _with_spans(self.table.column("speed/images_per_second"))
        inverse = sum(span / value for _, value, span in found if value > 0)
        updates = sum(span for _, value, span in found if value > 0)
        if not inverse:
            return None
        return (inverse * global_batch_size if global_batch_size else math.nan), updates / inverse


def _with_spans(found: list[tuple[Row, float]]) -> list[tuple[Row, float, int]]:
    """Each row's value with the number of updates since the row before."""
    steps = [0, *(row.step for row, _ in found)]
    return [
        (row, value, max(1, row.step - before)) for (row, value), before in zip(found, steps, strict=False)
    ]


def _epoch_ends(table: MetricsTable, updates_per_epoch: int | None) -> tuple[list[int], list[int]]:
    """Steps and the epochs completed then: known points between which a position is interpolated."""
    ends: dict[int, int] = {}
    for row in table.rows:
        if row.epoch is not None and any(not name.startswith("test/") for name in row.values):
            ends[row.epoch] = max(row.step, ends.get(row.epoch, 0))
    steps, epochs = [0], [0]
    for epoch in sorted(ends):
        if ends[epoch] > steps[-1]:
            steps.append(ends[epoch])
            epochs.append(epoch + 1)
    if len(steps) > 2:
        lengths = [
            (later - earlier) / (end - begin)
            for earlier, later, begin, end in zip(steps, steps[1:-1], epochs, epochs[1:-1], strict=False)
        ]
        # The last epoch may be in progress: its end is where it would be if it were as long as the others.
        length = round(statistics.median(lengths)) * (epochs[-1] - epochs[-2])
        steps[-1] = max(steps[-1], steps[-2] + length)
    elif len(steps) == 2 and updates_per_epoch is not None and not table.column("val/loss"):
        steps[-1] = max(steps[-1], updates_per_epoch * epochs[-1])
    return steps, epochs
