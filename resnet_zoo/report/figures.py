"""What a report can hold: figures, tables and claims as plain data. Standard library only; drawing lives elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from resnet_zoo.errors import InvalidValue

Emphasis = Literal["bold", "thin", "points"]
"""A bold line is what the figure is about (validation), a thin one its companion (training); points stay unjoined."""

Verdict = Literal["holds", "fails", "no verdict"]
"""What the numbers say of a claim; "no verdict" where they are missing or cannot decide."""

Cell = str | int | float | None
"""One cell of a table; None is shown as a dash."""


@dataclass(frozen=True)
class Series:
    """One curve.

    Args:
        label: its line in the legend; empty leaves it out, for a companion that the legend need not repeat.
        x: positions on the horizontal axis.
        y: values, as many as ``x``; NaN leaves a gap.
        emphasis: how strongly it is drawn.
        group: series of one group share colour, dashes and marker, such as training and validation of one run; by
            default every series has its own.
        spread_low: lower edge of a band around the curve, as many as ``x``, such as the least of several seeds.
        spread_high: upper edge of it; given together or not at all.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    emphasis: Emphasis = "bold"
    group: str | None = None
    spread_low: Sequence[float] | None = None
    spread_high: Sequence[float] | None = None

    def __post_init__(self) -> None:
        if (self.spread_low is None) != (self.spread_high is None):
            raise InvalidValue(f"series {self.label!r} has one edge of its band. Give both edges or none.")
        for name, values in (
            ("y", self.y),
            ("spread_low", self.spread_low),
            ("spread_high", self.spread_high),
        ):
            if values is not None and len(values) != len(self.x):
                raise InvalidValue(
                    f"series {self.label!r} has {len(self.x)} positions and {len(values)} values of {name}. "
                    "Each position needs one."
                )


@dataclass(frozen=True)
class Mark:
    """Something to point at: a place, or a whole line.

    Args:
        label: a few words beside it.
        x: where on the horizontal axis; without ``y`` a vertical line.
        y: where on the vertical axis; without ``x`` a horizontal line, such as chance level.
        group: take the colour of this group of series.
    """

    label: str
    x: float | None = None
    y: float | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        if self.x is None and self.y is None:
            raise InvalidValue(
                f"mark {self.label!r} is nowhere. Give x for a vertical line, y for a horizontal, or both."
            )


@dataclass(frozen=True)
class LineFigure:
    """Curves over one pair of axes.

    Args:
        name: a plain file name without an ending, such as "degradation-error".
        title: what is seen.
        x_label: quantity and unit, such as "epoch".
        y_label: quantity and unit, such as "error (%)".
        series: the curves, in the order of the legend.
        log_x: powers of ten are equally far apart; values that are not positive are left out.
        log_y: the same for the vertical axis.
        caption: what to read from it, and on which data.
        marks: places and lines to point at.
        y_range: lower and upper end of the vertical axis; by default all values fit.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    log_x: bool = False
    log_y: bool = False
    caption: str = ""
    marks: Sequence[Mark] = ()
    y_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class BarGroup:
    """One bar in every category.

    Args:
        label: its line in the legend.
        values: one for every category; NaN or None leaves that bar out.
        spread: half the height of a whisker for every category, such as a standard deviation.
    """

    label: str
    values: Sequence[float | None]
    spread: Sequence[float | None] | None = None


@dataclass(frozen=True)
class BarFigure:
    """Bars side by side in categories.

    Args:
        name: a plain file name without an ending.
        title: what is seen.
        y_label: quantity and unit, such as "multiply-adds (10⁹)".
        categories: names along the axis.
        groups: the bars of each category.
        caption: what to read from it.
        log_y: powers of ten are equally far apart.
    """

    name: str
    title: str
    y_label: str
    categories: Sequence[str]
    groups: Sequence[BarGroup]
    caption: str = ""
    log_y: bool = False

    def __post_init__(self) -> None:
        for group in self.groups:
            for values in (group.values, group.spread):
                if values is not None and len(values) != len(self.categories):
                    raise InvalidValue(
                        f"bar group {group.label!r} of figure {self.name!r} has {len(values)} values for "
                        f"{len(self.categories)} categories. Each category needs one."
                    )


Figure = LineFigure | BarFigure


@dataclass(frozen=True)
class Table:
    """A table; numbers are aligned to the right.

    Args:
        title: what it lists.
        columns: headings, with units.
        rows: as many cells in each as there are columns.
        caption: what to read from it.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise InvalidValue(
                    f"table {self.title!r} has {len(self.columns)} columns and a row of {len(row)} cells: {list(row)}."
                )


@dataclass(frozen=True)
class Claim:
    """One sentence of a paper, and what our numbers say of it.

    Args:
        name: a plain name, unique in its experiment.
        sentence: what is claimed.
        source: paper, section, figure or table.
        rule: how the numbers decide, in words.
        measured: name of a number -> the number, or a list with one for every seed; plain JSON types.
        verdict: what the rule says of them.
        command: what to type to repeat it.
        remarks: data, seeds, where the paper's own numbers differ, runs that diverged.
        seconds: what measuring took.
    """

    name: str
    sentence: str
    source: str
    rule: str
    measured: Mapping[str, Any]
    verdict: Verdict
    command: str
    remarks: Sequence[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class ExperimentReport:
    """One experiment: its claims with the figures and tables behind them.

    Args:
        name: the experiment's name on the command line.
        title: a line for the heading.
        introduction: the question and how it was asked: data, seeds, preset. Empty lines separate paragraphs.
        claims: judged sentences.
        figures: drawn in this order.
        tables: shown in this order, after the figures.
    """

    name: str
    title: str
    introduction: str
    claims: Sequence[Claim]
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
