"""The page that says which claims hold, and shows why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from resnet_zoo.report.drawing import render_svg
from resnet_zoo.report.figures import Claim, ExperimentReport, Table
from resnet_zoo.report.numbers import flattened, written, written_seconds
from resnet_zoo.report.page import anchor, escaped, figure_html, page, paragraphs, table_html
from resnet_zoo.runs import write_text_atomically

_SIGNS = {"holds": "\N{CHECK MARK} holds", "fails": "\N{BALLOT X} fails", "no verdict": "? no verdict"}


def write_experiment_html(
    reports: Sequence[ExperimentReport], path: Path, title: str = "The residual-learning story"
) -> None:
    """Write one self-contained HTML file: a table of all verdicts, then every experiment with its figures inside.

    Args:
        reports: experiments in the order of the page.
        path: the file, replaced if it is there; its folder must exist.
        title: the heading.
    """
    write_text_atomically(
        path, page(title, "\n".join([_overview(reports), *(_experiment(report) for report in reports)]))
    )


def _overview(reports: Sequence[ExperimentReport]) -> str:
    counts = Counter(claim.verdict for report in reports for claim in report.claims)
    total = sum(counts.values())
    sentence = f"{counts['holds']} of {total} claims hold"
    if counts["fails"]:
        sentence += f", {counts['fails']} fail{'s' if counts['fails'] == 1 else ''}"
    if counts["no verdict"]:
        sentence += f", {counts['no verdict']} without a verdict"
    items = "\n".join(
        f'<li class="{_kind(claim)}"><span class="verdict">{_SIGNS[claim.verdict]}</span> '
        f'<a href="#{anchor(report.name)}">{escaped(report.name)}</a>: {escaped(claim.sentence)} '
        f'<span class="quiet">{written_seconds(claim.seconds)}</span></li>'
        for report in reports
        for claim in report.claims
    )
    return f'<p>{sentence}.</p>\n<ul class="verdicts">\n{items}\n</ul>'


def _experiment(report: ExperimentReport) -> str:
    parts = [
        f'<h2 id="{anchor(report.name)}">{escaped(report.title)}</h2>',
        paragraphs(report.introduction),
        *(_claim(claim) for claim in report.claims),
        *(figure_html(figure, render_svg(figure)) for figure in report.figures),
        *(table_html(table) for table in report.tables),
    ]
    return "\n".join(parts)


def _claim(claim: Claim) -> str:
    measured = Table(
        "", ("measured", "value"), [(name, _cell(value)) for name, value in flattened(claim.measured).items()]
    )
    remarks = "".join(f"<li>{escaped(remark)}</li>" for remark in claim.remarks)
    return "\n".join(
        [
            f'<section class="claim {_kind(claim)}">',
            f'<h3><span class="verdict">{_SIGNS[claim.verdict]}:</span> {escaped(claim.sentence)}</h3>',
            f'<p class="caption">{escaped(claim.source)}</p>',
            f"<dl><dt>The rule that decides</dt><dd>{escaped(claim.rule)}</dd></dl>",
            table_html(measured) if claim.measured else "",
            f"<ul>{remarks}</ul>" if remarks else "",
            f"<dl><dt>To repeat it ({written_seconds(claim.seconds)})</dt></dl>",
            f"<pre><code>{escaped(claim.command)}</code></pre>",
            "</section>",
        ]
    )


def _kind(claim: Claim) -> str:
    """The class that colours it: holds, fails or no."""
    return claim.verdict.split()[0]


def _cell(value: object) -> str | int | float | None:
    """Plain values as they are; anything nested as text."""
    return value if isinstance(value, str | int | float) or value is None else written(value)
