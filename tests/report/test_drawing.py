"""Figures: two files each, the same bytes each time, legible, told apart without colour."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from resnet_zoo.errors import InvalidValue
from resnet_zoo.report import BarFigure, BarGroup, LineFigure, Mark, Series, draw
from resnet_zoo.report.drawing import render_svg
from resnet_zoo.report.style import RC, look

ODD_LABEL = r"_run $x^{$ <b>\frac & 漢字 " + "long" * 30


def lines(**changes: object) -> LineFigure:
    settings: dict[str, object] = {
        "name": "error",
        "title": "Error",
        "x_label": "epoch",
        "y_label": "error (%)",
        "series": [
            Series("", [1, 2, 3], [9, 5, 4], "thin", "a"),
            Series("a", [1, 2, 3], [8, 6, math.nan], "bold", "a", [7, 5, 5], [9, 7, 7]),
            Series("b", [1, 2, 3], [8, 6, 5], "points"),
        ],
        "marks": [Mark("chance", y=7), Mark("drop", x=2), Mark("here", 2, 6, "a"), Mark("far away", 2, 600)],
    }
    return LineFigure(**(settings | changes))  # type: ignore[arg-type]


def test_a_figure_becomes_a_png_and_an_svg(tmp_path: Path) -> None:
    png, svg = draw(lines(), tmp_path / "new" / "folder")
    assert (png.name, svg.name) == ("error.png", "error.svg")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert svg.read_text().rstrip().endswith("</svg>")


def test_the_same_figure_is_the_same_file() -> None:
    assert render_svg(lines()) == render_svg(lines())


@pytest.mark.parametrize("log", [False, True])
def test_any_text_and_any_number_can_be_drawn(tmp_path: Path, log: bool) -> None:
    values = [math.nan, math.inf, -1.0, 0.0, 1e-300, 1e300]
    figure = lines(
        title=ODD_LABEL,
        x_label=ODD_LABEL,
        series=[Series(ODD_LABEL, range(6), values), Series("none", [], []), Series("", [1], [2])],
        marks=[Mark(ODD_LABEL, 1, 1)],
        log_x=log,
        log_y=log,
    )
    draw(figure, tmp_path)


def test_a_figure_without_a_finite_value_says_so() -> None:
    drawn = render_svg(lines(series=[Series("a", [1], [math.nan])], log_y=True, marks=[]))
    assert "no finite value" in drawn


def test_bars_can_miss_values(tmp_path: Path) -> None:
    groups = [
        BarGroup("a", [1.0, None, math.nan], [0.1, None, 0.2]),
        BarGroup(ODD_LABEL, [0.0, 12345678.0, 2]),
    ]
    for log in (False, True):
        draw(BarFigure("cost", "Cost", "units", ["x", "$y", "z"], groups, log_y=log), tmp_path)


def test_a_name_must_serve_as_a_file_name(tmp_path: Path) -> None:
    for name in ("", "../error", "a/b", ".hidden", "a b"):
        with pytest.raises(InvalidValue, match="does not serve as the file name of a figure"):
            draw(lines(name=name), tmp_path)


def test_letters_are_at_least_nine_points() -> None:
    sizes = {name: size for name, size in RC.items() if name.endswith("size")}
    assert len(sizes) >= 5
    assert min(sizes.values()) >= 9
    drawn = render_svg(lines())
    # matplotlib draws glyphs of DejaVu at a scale of size / 100.
    scales = {float(scale) for scale in re.findall(r"scale\(([\d.]+) -[\d.]+\)", drawn)}
    assert min(scales) >= 0.09


def test_curves_differ_by_more_than_colour() -> None:
    looks = [look(position) for position in range(28)]
    assert len({(one.marker, str(one.dashes)) for one in looks}) == 28
    assert len({one.colour for one in looks[:7]}) == 7


def test_the_thin_companion_shares_the_look_of_its_group() -> None:
    drawn = render_svg(lines(marks=[]))
    assert drawn.count(look(1).colour.lower()) > 0
    assert look(2).colour.lower() + "; stroke-width: 2" not in drawn
