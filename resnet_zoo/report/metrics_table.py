"""Reading ``metrics.csv``: the rows of a run, each update told once, however often the run was resumed."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resnet_zoo.errors import InvalidValue

EXPECTED = "Expected the columns 'step' and 'epoch', then one a metric, such as 'train/loss' or 'val/top1'"


@dataclass
class Row:
    """What was logged after one update.

    Attributes:
        step: optimizer updates made so far.
        epoch: the epoch in progress, from 0; None where it was not written.
        values: metric -> number.
    """

    step: int
    epoch: int | None
    values: dict[str, float]


@dataclass(frozen=True)
class MetricsTable:
    """All rows of a run in the order of their updates, no two of the same update.

    Attributes:
        columns: metrics in the order of the file.
        rows: one for every update with something logged.
        repeated: rows left out because a resumed run made their updates once more.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    repeated: int = 0

    def column(self, name: str) -> list[tuple[Row, float]]:
        """The rows that hold this metric, with it."""
        return [(row, row.values[name]) for row in self.rows if name in row.values]


def read_metrics(path: Path) -> MetricsTable:
    """Read the table.

    A run that was resumed from an older checkpoint may tell some updates twice: where the steps go back, the earlier
    rows from there on are dropped, for it is the later ones that led to the final weights. A last line without its
    end, left by a process that died while writing, is no row yet.

    Raises:
        InvalidValue: the file is no such table; the message names file, line and column.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidValue(
            f"{path}: not a text file ({error.reason} at byte {error.start}). {EXPECTED}."
        ) from error
    lines = csv.reader(io.StringIO(text[: text.rfind("\n") + 1], newline=""))
    header = next(lines, [])
    if not header:
        return MetricsTable((), ())
    if len(set(header)) < len(header) or not {"step", "epoch"} <= set(header):
        raise InvalidValue(
            f"{path}:1: not the header of a metrics table: {', '.join(header)[:120]!r}. {EXPECTED}."
        )
    rows: list[Row] = []
    repeated = 0
    for cells in lines:
        if cells:
            repeated += _add(rows, _row(header, cells, f"{path}:{lines.line_num}"))
    if rows and all(row.epoch is None for row in rows):
        raise InvalidValue(
            f"{path}: column 'epoch' is empty, so nothing says when an epoch ended. {EXPECTED}."
        )
    return MetricsTable(
        tuple(name for name in header if name not in ("step", "epoch")), tuple(rows), repeated
    )


def _row(header: Sequence[str], cells: Sequence[str], where: str) -> Row:
    if len(cells) != len(header):
        raise InvalidValue(
            f"{where}: {len(cells)} cells, but the header names {len(header)} columns. {EXPECTED}."
        )
    values: dict[str, float] = {}
    for name, cell in zip(header, cells, strict=True):
        if not cell:
            continue
        try:
            values[name] = float(cell)
        except ValueError:
            raise InvalidValue(
                f"{where}: column {name!r} holds {cell[:40]!r}, which is not a number."
            ) from None
    step, epoch = values.pop("step", math.nan), values.pop("epoch", None)
    if not math.isfinite(step) or not math.isfinite(epoch or 0.0):
        raise InvalidValue(
            f"{where}: 'step' is {step:g} and 'epoch' {epoch}. A row needs a step; both are whole numbers."
        )
    return Row(int(step), None if epoch is None else int(epoch), values)


def _add(rows: list[Row], row: Row) -> int:
    """Append a row, or join it with one of the same update.

    Returns:
        How many earlier rows it made void.
    """
    kept = len(rows)
    while kept and rows[kept - 1].step > row.step:
        kept -= 1
    void = len(rows) - kept
    del rows[kept:]
    if not rows or rows[-1].step < row.step:
        rows.append(row)
        return void
    last = rows[-1]
    # The test that ends a training counts the epoch as over; training and validation of that update do not.
    if row.epoch is not None and not _is_test(row):
        last.epoch = row.epoch if last.epoch is None or void else min(last.epoch, row.epoch)
    last.values.update(row.values)
    return void


def _is_test(row: Row) -> bool:
    return all(name.startswith("test/") for name in row.values)
