"""Figures and table of the experiment on gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence

from resnet_zoo.analysis import first_to_last_ratio
from resnet_zoo.experiments.gradient_stacks import Measured
from resnet_zoo.experiments.rules import median
from resnet_zoo.report.figures import LineFigure, Mark, Series, Table

SHOWN_DEPTH = 50


def figures(measured: Measured, num_seeds: int) -> list[LineFigure]:
    """All figures of the experiment."""
    seeds = f"Median of {num_seeds} seeds, the band from the least to the largest."
    return [
        LineFigure(
            "gradients-by-layer",
            f"Gradient of each layer in untrained stacks of {SHOWN_DEPTH} layers",
            "layer, from the input",
            "norm of the weight gradient",
            [_by_layer(case, by_depth[SHOWN_DEPTH]) for case, by_depth in measured.at_start.items()],
            log_y=True,
            caption=f"{seeds} Read from right to left: the way that the gradient goes.",
        ),
        LineFigure(
            "gradients-by-depth",
            "What reaches the first layer",
            "layers",
            "gradient norm, first / last layer",
            [_by_depth(case, by_depth) for case, by_depth in measured.at_start.items()],
            log_y=True,
            caption=seeds,
            marks=[Mark("as large as at the last layer", y=1.0)],
        ),
        LineFigure(
            "gradients-over-updates",
            "The same over the first updates, 20 layers",
            "update",
            "gradient norm, first / last layer",
            [_over_updates(case, seeds_) for case, seeds_ in measured.over_updates.items()],
            log_y=True,
            caption=seeds,
        ),
        sigmoid_figure(),
    ]


def sigmoid_figure() -> LineFigure:
    """The sigmoid and its derivative, which is the reason: at most a quarter is left in every layer."""
    xs = [step / 10 for step in range(-80, 81)]
    values = [1 / (1 + math.exp(-x)) for x in xs]
    return LineFigure(
        "gradients-sigmoid",
        "The sigmoid and its derivative",
        "x",
        "",
        [
            Series("sigmoid(x)", xs, values),
            Series("derivative", xs, [value * (1 - value) for value in values]),
        ],
        caption="Each layer multiplies the gradient by the derivative, which is nowhere larger than 1/4.",
        marks=[Mark("1/4", y=0.25)],
    )


def ratio_table(measured: Measured) -> Table:
    """First to last layer, by kind of stack and depth."""
    depths = list(next(iter(measured.at_start.values())))
    rows = []
    for case, by_depth in measured.at_start.items():
        ratios = [[first_to_last_ratio(norms) for norms in by_depth[depth]] for depth in depths]
        first = [norms[0] for norms in by_depth[depths[-1]]]
        rows.append(
            [
                case,
                *(f"{min(r):.1e} to {max(r):.1e}" for r in ratios),
                f"{min(first):.1e} to {max(first):.1e}",
            ]
        )
    return Table(
        "Gradient norm of the first layer divided by that of the last, at initialisation",
        ["stack", *(f"{depth} layers" for depth in depths), f"norm at the first of {depths[-1]}"],
        rows,
        "Least to largest of the seeds. A ratio near one alone is not health: both ends may have vanished.",
    )


def _by_layer(case: str, seeds: Sequence[Sequence[float]]) -> Series:
    return _banded(case, list(range(1, len(seeds[0]) + 1)), list(zip(*seeds, strict=True)))


def _by_depth(case: str, by_depth: dict[int, list[list[float]]]) -> Series:
    ratios = [[first_to_last_ratio(norms) for norms in seeds] for seeds in by_depth.values()]
    return _banded(case, list(by_depth), ratios)


def _over_updates(case: str, seeds: Sequence[Sequence[Sequence[float]]]) -> Series:
    ratios = [[first_to_last_ratio(norms) for norms in update] for update in zip(*seeds, strict=True)]
    return _banded(case, list(range(len(ratios))), ratios)


def _banded(label: str, x: Sequence[float], values: Sequence[Sequence[float]]) -> Series:
    return Series(
        label,
        x,
        [median(at) for at in values],
        spread_low=[min(at) for at in values],
        spread_high=[max(at) for at in values],
    )
