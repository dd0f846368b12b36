"""Bars on axes: lying, so that the names of the categories can be read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from resnet_zoo.report.figures import BarFigure
from resnet_zoo.report.style import HATCHES, LegendEntry, look, plain_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHARE_OF_CATEGORY = 0.8
_BAR_HEIGHT = 0.19
_MOST_BARS_WITH_NUMBERS = 40


def bar_figure_height(figure: BarFigure) -> float:
    """Inches that the axes need, with their labels."""
    bars = max(1, len(figure.groups)) * len(figure.categories)
    return 0.75 + max(_BAR_HEIGHT * bars / _SHARE_OF_CATEGORY, 0.26 * len(figure.categories))


def draw_bars(axes: Axes, figure: BarFigure) -> list[LegendEntry]:
    """Draw all bars, the first category on top, with their values beside them where these are few enough to read.

    Returns:
        What the legend shows: an artist and its label each; nothing for a single group without a label.
    """
    thickness = _SHARE_OF_CATEGORY / max(1, len(figure.groups))
    with_numbers = len(figure.groups) * len(figure.categories) <= _MOST_BARS_WITH_NUMBERS
    log = figure.log_y and any((value or 0) > 0 for group in figure.groups for value in group.values)
    legend: list[LegendEntry] = []
    for position, group in enumerate(figure.groups):
        style, hatch = look(position), HATCHES[position % len(HATCHES)]
        offset = (position - (len(figure.groups) - 1) / 2) * thickness
        values = [_length(value, log) for value in group.values]
        spread = (
            [math.nan if value is None else value for value in group.spread]
            if group.spread is not None
            else None
        )
        bars = axes.barh(
            [place + offset for place in range(len(values))],
            values,
            height=thickness * 0.92,
            xerr=spread,
            color="white" if hatch else style.colour,
            edgecolor=style.colour,
            hatch=hatch,
            error_kw={"elinewidth": 1.0, "capsize": 2.5},
        )
        if with_numbers:
            axes.bar_label(bars, [_number(value) for value in group.values], padding=3, fontsize=9)
        if group.label:
            legend.append((bars, group.label))
    axes.set_xscale("log" if log else "linear")
    axes.set_yticks(range(len(figure.categories)), [plain_text(name) for name in figure.categories])
    axes.set_xlabel(plain_text(figure.y_label))
    axes.set_ylim(len(figure.categories) - 0.45, -0.55)
    axes.margins(x=0.16)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.tick_params(axis="y", length=0)
    return legend


def _length(value: float | None, log: bool) -> float:
    """What to draw; NaN leaves the bar out."""
    if value is None or not math.isfinite(value) or (log and value <= 0):
        return math.nan
    return value


def _number(value: float | None) -> str:
    """Three digits, as one would write them by hand."""
    if value is None or not math.isfinite(value):
        return "-"
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        decimals = 0 if value == int(value) else max(0, 2 - math.floor(math.log10(abs(value))))
        return f"{value:.{decimals}f}"
    return f"{value:.2e}"
