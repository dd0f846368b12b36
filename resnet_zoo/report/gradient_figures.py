"""Gradient norms of runs that logged them, in columns ``grad_norm/<layer>``. Standard library only."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from resnet_zoo.report.curves import MEAN_FROM_EPOCHS
from resnet_zoo.report.figures import LineFigure, Series
from resnet_zoo.report.run_data import RunData

PREFIX = "grad_norm/"
TOTAL = "grad_norm/total"
_CAPTION = "Medians over each epoch in runs of at least five epochs, every logged update in shorter ones."


def gradient_figures(runs: Sequence[RunData]) -> list[LineFigure]:
    """Norm of the whole gradient over epochs, and norm against layer at the first and the last logged update."""
    return [_over_epochs(runs), _over_layers(runs)]


def _over_epochs(runs: Sequence[RunData]) -> LineFigure:
    series = []
    for run in runs:
        logged = [(row, norm) for row in run.table.rows if (norm := _total(row.values)) is not None]
        if run.curves.epochs >= MEAN_FROM_EPOCHS:
            epochs = sorted({row.epoch for row, _ in logged if row.epoch is not None})
            points = [
                (epoch + 1.0, statistics.median(norm for row, norm in logged if row.epoch == epoch))
                for epoch in epochs
            ]
        else:
            points = [(run.curves.position(row.step), norm) for row, norm in logged]
        if points:
            series.append(
                Series(run.label, [x for x, _ in points], [y for _, y in points], "bold", run.label)
            )
    return LineFigure(
        "gradient-norm",
        "Gradient norm",
        "epoch",
        "norm of the whole gradient",
        series,
        log_y=True,
        caption=_CAPTION,
    )


def _over_layers(runs: Sequence[RunData]) -> LineFigure:
    series = []
    for run in runs:
        layers = [name for name in run.table.columns if name.startswith(PREFIX) and name != TOTAL]
        rows = [row for row in run.table.rows if any(name in row.values for name in layers)]
        if not rows or len(layers) < 2:
            continue
        places = [float(place) for place in range(1, len(layers) + 1)]
        for row, emphasis in ((rows[0], "thin"), (rows[-1], "bold")):
            norms = [row.values.get(name, math.nan) for name in layers]
            label = run.label if emphasis == "bold" else ""
            series.append(Series(label, places, norms, "bold" if emphasis == "bold" else "thin", run.label))
    return LineFigure(
        "gradient-norm-by-layer",
        "Gradient norm by layer: first update thin, last bold",
        "layer, in the order of metrics.csv",
        "norm of the layer's gradient",
        series,
        log_y=True,
    )


def _total(values: dict[str, float]) -> float | None:
    """The logged norm of the whole gradient, or the root of the sum of squares of the layers'."""
    if TOTAL in values:
        return values[TOTAL]
    layers = [value for name, value in values.items() if name.startswith(PREFIX)]
    return math.hypot(*layers) if layers else None
