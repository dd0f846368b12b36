"""Curves on axes: lines with sparse markers, bands, marks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from resnet_zoo.report.figures import LineFigure, Mark, Series
from resnet_zoo.report.style import LegendEntry, Look, look, plain_text

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.patheffects import AbstractPathEffect

_MARKERS_PER_CURVE = 7
_FEWEST_WHOLE = 4
_LIMIT = 1e100
_MOST_PLAIN_DECADES = 4.0
_WIDTHS = {"bold": 2.0, "thin": 0.9, "points": 0.0}
_MARKER_SIZES = {"bold": 5.0, "thin": 3.5, "points": 4.5}


def draw_lines(axes: Axes, figure: LineFigure) -> list[LegendEntry]:
    """Draw all curves and marks.

    Returns:
        What the legend shows: an artist and its label each, in order; nothing for a single curve without a label.
    """
    positions: dict[str, int] = {}
    for place, series in enumerate(figure.series):
        positions.setdefault(_group(series, place), len(positions))
    log_x = figure.log_x and _has_positive(value for series in figure.series for value in series.x)
    log_y = figure.log_y and _has_positive(value for series in figure.series for value in series.y)
    axes.set(xlabel=plain_text(figure.x_label), ylabel=plain_text(figure.y_label))
    axes.set_xscale("log" if log_x else "linear")
    axes.set_yscale("log" if log_y else "linear")
    legend: list[LegendEntry] = []
    for place, series in enumerate(figure.series):
        position = positions[_group(series, place)]
        artist = _draw_series(axes, series, look(position), (log_x, log_y), position, len(positions))
        if series.label:
            legend.append((artist, series.label))
    if figure.y_range is not None:
        axes.set_ylim(*figure.y_range)
    for axis, log in ((axes.xaxis, log_x), (axes.yaxis, log_y)):
        if log:
            _plain_numbers(axis)
    if not log_x:
        _whole_numbers(axes.xaxis)
    for mark in figure.marks:
        known = positions.get(mark.group) if mark.group is not None else None
        _draw_mark(axes, mark, "#444444" if known is None else look(known).colour)
    if not any(_finite(series.y) for series in figure.series):
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "no finite value", transform=axes.transAxes, ha="center", va="center")
    return legend


def _group(series: Series, place: int) -> str:
    return series.group if series.group is not None else f"{place}: {series.label}"


def _draw_series(
    axes: Axes, series: Series, style: Look, logs: tuple[bool, bool], position: int, count: int
) -> Artist:
    x, y = _drawable(series.x, logs[0]), _drawable(series.y, logs[1])
    if series.spread_low is not None and series.spread_high is not None:
        low, high = _drawable(series.spread_low, logs[1]), _drawable(series.spread_high, logs[1])
        axes.fill_between(x, low, high, color=style.colour, alpha=0.18, linewidth=0)
    points = series.emphasis == "points"
    every = max(1, math.ceil(len(x) / _MARKERS_PER_CURVE))
    # Curves that lie on each other still show all their markers: each begins at another place.
    start = round(position * every / max(count, 1)) % every
    (line,) = axes.plot(
        x,
        y,
        color=style.colour,
        linestyle="none" if points else style.dashes,
        linewidth=_WIDTHS[series.emphasis],
        marker=style.marker,
        markersize=_MARKER_SIZES[series.emphasis],
        markerfacecolor="white" if series.emphasis == "thin" else style.colour,
        markeredgewidth=0.9,
        markevery=1 if points else (start, every),
        alpha=0.9 if series.emphasis == "thin" else 1.0,
        zorder=2.5 if series.emphasis == "thin" else 3,
    )
    return line


def _plain_numbers(axis: Axis) -> None:
    """Ticks of a logarithmic axis as plain numbers (0.2, 0.5, 1), where few powers of ten are seen."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    decades = math.log10(high / low)
    if decades > _MOST_PLAIN_DECADES or low < 1e-5 or high > 1e6:
        return
    leading = (
        (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0) if decades < 0.8 else (1.0, 2.0, 5.0) if decades < 2.0 else (1.0,)
    )
    axis.set_major_locator(LogLocator(subs=leading))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _whole_numbers(axis: Axis) -> None:
    """No tick at half an epoch or half a layer, where at least four whole ones are seen."""
    from matplotlib.ticker import MaxNLocator

    low, high = axis.get_view_interval()
    if high - low >= _FEWEST_WHOLE:
        axis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))


def _draw_mark(axes: Axes, mark: Mark, colour: str) -> None:
    """Marks outside the axes' range are not shown, and no mark takes room from the curves."""
    line: dict[str, Any] = {"color": colour, "linewidth": 1.0, "linestyle": (0, (2, 2)), "zorder": 2}
    if mark.x is not None and mark.y is not None:
        _ring(axes, mark.x, mark.y, colour)
        _letter(axes, mark.label, (mark.x, mark.y), (0, 9), ("center", "bottom"), colour)
    elif mark.x is not None:
        axes.axvline(mark.x, **line)
        _letter(axes, mark.label, (mark.x, 1.0), (3, -2), ("left", "top"), colour)
    elif mark.y is not None:
        axes.axhline(mark.y, **line)
        _letter(axes, mark.label, (1.0, mark.y), (0, 2), ("right", "bottom"), colour)


def _ring(axes: Axes, x: float, y: float, colour: str) -> None:
    (ring,) = axes.plot([x], [y], "o", markersize=11, markerfacecolor="none", markeredgewidth=1.8, zorder=6)
    ring.set(markeredgecolor=colour, in_layout=False)


def _letter(
    axes: Axes,
    label: str,
    at: tuple[float, float],
    offset: tuple[float, float],
    alignment: tuple[Literal["left", "center", "right"], Literal["top", "bottom"]],
    colour: str,
) -> None:
    """A few words at a place: in data coordinates, but 1.0 is the far end of an axis that the alignment leans on."""
    horizontal, vertical = alignment
    coordinates: Any = "data"
    if vertical == "top":
        coordinates = axes.get_xaxis_transform()
    elif horizontal == "right":
        coordinates = axes.get_yaxis_transform()
    text = axes.annotate(
        plain_text(label), at, xycoords=coordinates, xytext=offset, textcoords="offset points", annotation_clip=True,
        ha=horizontal, va=vertical, fontsize=9.5, color=colour, zorder=5, path_effects=_halo(),
    )  # fmt: skip
    text.set_in_layout(False)


def _halo() -> list[AbstractPathEffect]:
    """A white edge that keeps letters apart from the curves behind them."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.5, foreground="white")]


def _drawable(values: Sequence[float], log: bool) -> list[float]:
    """The values, with gaps where there is nothing to draw."""
    return [value if _can_be_drawn(value, log) else math.nan for value in values]


def _can_be_drawn(value: float, log: bool) -> bool:
    """Whether a value has a place on the axis; what nears the limits of floating point would break the axis itself."""
    return math.isfinite(value) and abs(value) < _LIMIT and (value > 1.0 / _LIMIT or not log)


def _has_positive(values: Iterable[float]) -> bool:
    return any(_can_be_drawn(value, log=True) for value in values)


def _finite(values: Sequence[float]) -> bool:
    return any(_can_be_drawn(value, log=False) for value in values)
