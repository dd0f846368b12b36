"""The page of verdicts: self-contained, well-formed, and text stays text."""

from __future__ import annotations

from pathlib import Path

from resnet_zoo.report import Claim, ExperimentReport, LineFigure, Series, Table, write_experiment_html
from tests.report.pages import check_page

EVIL = '<script>alert("1")</script> & "quoted" \x00'


def test_everything_is_inside_and_escaped(tmp_path: Path) -> None:
    measured = {EVIL: EVIL, "per seed": [1.5, 2.0], "deep": {"margin": 3}}
    claim = Claim("c", EVIL, EVIL, EVIL, measured, "fails", f"resnet-zoo {EVIL}", [EVIL], 75.0)
    figure = LineFigure("f", EVIL, EVIL, EVIL, [Series(EVIL, [1, 2], [1, 2])], caption=EVIL)
    table = Table(EVIL, [EVIL, "n"], [[EVIL, 1234], ["b", None]], EVIL)
    path = tmp_path / "all.html"
    write_experiment_html(
        [ExperimentReport(EVIL, EVIL, f"{EVIL}\n\nsecond", [claim], [figure], [table])], path, title=EVIL
    )
    text = check_page(path)
    assert "0 of 1 claims hold, 1 fails." in text
    for expected in (
        "1.5, 2",
        "deep.<wbr>margin",
        "1,234",
        "1 min 15 s",
        "<p>second</p>",
        "data:image/svg+xml;base64,",
    ):
        assert expected in text


def test_verdicts_are_words_and_lead_to_their_experiment(tmp_path: Path) -> None:
    claims = [Claim(v, v, "p", "r", {}, v, "x") for v in ("holds", "fails", "no verdict")]  # type: ignore[arg-type]
    path = tmp_path / "all.html"
    write_experiment_html([ExperimentReport("very-deep", "Very deep", "", claims)], path)
    text = check_page(path)
    assert "1 of 3 claims hold, 1 fails, 1 without a verdict." in text
    assert text.count('href="#very-deep"') == 3
    assert '<h2 id="very-deep">' in text
