"""Drawing figures with matplotlib, without a display and without its global state."""

from __future__ import annotations

import io
import re
import textwrap
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet_zoo.errors import InvalidValue
from resnet_zoo.report.bars import bar_figure_height, draw_bars
from resnet_zoo.report.figures import BarFigure, Figure, LineFigure
from resnet_zoo.report.lines import draw_lines
from resnet_zoo.report.style import (
    LEGEND_CHARACTERS,
    LEGEND_HANDLE_CHARACTERS,
    LEGEND_LINE_HEIGHT,
    PLOT_HEIGHT,
    PNG_DOTS_PER_INCH,
    RC,
    TITLE_CHARACTERS,
    TITLE_LINE_HEIGHT,
    WIDTH,
    LegendEntry,
    plain_text,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Drawing:
    """A figure as files would hold it."""

    svg: str
    png: bytes


def draw(figure: Figure, folder: Path) -> list[Path]:
    """Write ``<name>.png`` and ``<name>.svg``; files of these names are replaced.

    Args:
        figure: what to draw.
        folder: where to; made if it is missing.

    Returns:
        The files, PNG first.

    Raises:
        InvalidValue: the figure's name does not serve as a file name.
    """
    if not _PLAIN_NAME.fullmatch(figure.name):
        raise InvalidValue(
            f"{figure.name!r} does not serve as the file name of a figure. Use letters, digits, '-', '_' and '.'."
        )
    return write_drawing(render(figure), figure.name, folder)


def write_drawing(drawing: Drawing, name: str, folder: Path) -> list[Path]:
    """Write what ``render`` returned; see ``draw``."""
    folder.mkdir(parents=True, exist_ok=True)
    png, svg = folder / f"{name}.png", folder / f"{name}.svg"
    png.write_bytes(drawing.png)
    svg.write_text(drawing.svg, encoding="utf-8")
    return [png, svg]


def render(figure: Figure) -> Drawing:
    """Draw in memory."""
    canvas = _canvas(figure)
    png = io.BytesIO()
    with _quiet():
        canvas.savefig(png, format="png", dpi=PNG_DOTS_PER_INCH, metadata={"Software": None})
    return Drawing(_svg(canvas), png.getvalue())


def render_svg(figure: Figure) -> str:
    """Draw in memory, the SVG alone."""
    return _svg(_canvas(figure))


def _svg(canvas: Canvas) -> str:
    import matplotlib as mpl

    text = io.StringIO()
    with mpl.rc_context(RC), _quiet():
        canvas.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


def _canvas(figure: Figure) -> Canvas:
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    title = textwrap.wrap(figure.title, TITLE_CHARACTERS)
    height = bar_figure_height(figure) if isinstance(figure, BarFigure) else PLOT_HEIGHT
    with mpl.rc_context(RC), _quiet():
        canvas = Canvas(figsize=(WIDTH, height), layout="constrained")
        FigureCanvasAgg(canvas)
        axes = canvas.add_subplot()
        legend = draw_lines(axes, figure) if isinstance(figure, LineFigure) else draw_bars(axes, figure)
        rows = _add_legend(canvas, legend)
        canvas.suptitle(plain_text("\n".join(title)), x=0.015, ha="left", linespacing=1.15)
        canvas.set_figheight(height + TITLE_LINE_HEIGHT * len(title) + LEGEND_LINE_HEIGHT * rows)
        canvas.draw_without_rendering()
        canvas.set_layout_engine(
            "none"
        )  # everything has its place; solving again for each format would take long
    return canvas


def _add_legend(canvas: Canvas, entries: list[LegendEntry]) -> int:
    """Put the legend under the axes, in as many columns as fit.

    Returns:
        its number of lines.
    """
    if not entries:
        return 0
    labels = [_wrapped(label) for _, label in entries]
    longest = max(len(line) for label in labels for line in label.splitlines())
    columns = max(1, min(len(entries), LEGEND_CHARACTERS // (longest + LEGEND_HANDLE_CHARACTERS)))
    artists: list[Any] = [
        artist for artist, _ in entries
    ]  # bars count as artists, though not for matplotlib's types
    canvas.legend(artists, labels, loc="outside lower left", ncols=columns)
    rows = -(-len(entries) // columns)
    # A column is filled before the next one begins, and a row is as high as its highest label.
    heights = [max(label.count("\n") + 1 for label in labels[row::rows]) for row in range(rows)]
    return sum(heights)


def _wrapped(label: str) -> str:
    """A label in lines that fit; a space before an underscore, since matplotlib hides labels that begin with it."""
    lines = textwrap.wrap(label, LEGEND_CHARACTERS - LEGEND_HANDLE_CHARACTERS) or [" "]
    text = plain_text("\n".join(lines))
    return f" {text}" if text.startswith("_") else text


def _quiet() -> warnings.catch_warnings[None]:
    """A letter that the font does not have is shown as a box; nobody need be warned about it."""
    return warnings.catch_warnings(action="ignore", category=UserWarning)
