"""How figures look: colours for every eye and for grey printers, sizes for paper and phone. Standard library only.

Colours: Okabe and Ito, "Color Universal Design" (2008), without its yellow, which vanishes on white. No two curves
differ by colour alone: each colour has a marker of its own, and a second round of colours has other dashes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.container import BarContainer

    LegendEntry = tuple[Artist | BarContainer, str]
else:
    LegendEntry = tuple

_COLOURS = ("#0072B2", "#D55E00", "#000000", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.2, 1.2, 1.2)))
HATCHES = ("", "////", "....", "xxxx", "----", "\\\\\\\\", "oo")

WIDTH = 4.8
"""Inches; shown 360 pixels wide on a phone, its letters are still above ten pixels high."""
PLOT_HEIGHT = 3.1
TITLE_LINE_HEIGHT = 0.2
LEGEND_LINE_HEIGHT = 0.2
TITLE_CHARACTERS = 44
"""What fits into one line of the figure's width."""
LEGEND_CHARACTERS = 54
LEGEND_HANDLE_CHARACTERS = 8
"""The width that a sample of the curve takes, in characters of the label beside it."""
PNG_DOTS_PER_INCH = 200

RC: Any = {  # matplotlib types each key as a literal
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "figure.titlesize": 11,
    "figure.titleweight": "bold",
    "axes.labelsize": 10,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "legend.handlelength": 3.2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.7,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    # The same figure is the same file, byte for byte, and looks the same where the font is missing.
    "svg.hashsalt": "resnet-zoo",
    "svg.fonttype": "path",
}


class Look(NamedTuple):
    """What tells one group of curves from another."""

    colour: str
    marker: str
    dashes: Any


def look(position: int) -> Look:
    """The look of the group at this position of a legend, from 0; 28 differ."""
    count = len(_COLOURS)
    return Look(
        _COLOURS[position % count], _MARKERS[position % count], _DASHES[position // count % len(_DASHES)]
    )


def plain_text(text: str) -> str:
    """Text that matplotlib shows as it is: a dollar sign would begin a formula."""
    return text.replace("$", r"\$")
