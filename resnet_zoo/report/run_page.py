"""The report of one or several runs: one HTML file, and its figures as PNG and SVG beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from resnet_zoo.errors import InvalidValue
from resnet_zoo.report.drawing import render, write_drawing
from resnet_zoo.report.figures import Table
from resnet_zoo.report.page import escaped, figure_html, is_page, page, table_html
from resnet_zoo.report.run_data import RunData
from resnet_zoo.report.run_facts import summary
from resnet_zoo.report.run_figures import FIGURE_NAMES, run_figures
from resnet_zoo.report.run_tables import config_differences, evidence_table, runs_table
from resnet_zoo.runs import write_text_atomically

_MOST_IN_TITLE = 3


def figures_folder(path: Path) -> Path:
    """Where the figures of a report go: ``report-figures`` beside ``report.html``."""
    return path.with_name(f"{path.stem}-figures")


def write_run_report(runs: Sequence[RunData], path: Path) -> list[Path]:
    """Write the HTML file, and each figure into ``figures_folder``.

    Args:
        runs: what to report on, at least one.
        path: the HTML file; an older report of that name is replaced, and so are its figures.

    Returns:
        Every file that was written, the HTML file first.

    Raises:
        InvalidValue: there is a file of that name that is no report, or the place cannot be written to.
    """
    if path.exists() and not (path.is_file() and is_page(path.read_text(encoding="utf-8", errors="replace"))):
        raise InvalidValue(
            f"'{path}' exists and is no report of resnet-zoo; it is left alone. Choose another --out."
        )
    figures = run_figures(runs)
    drawings = [render(figure) for figure in figures]
    drawn = [figure_html(figure, drawing.svg) for figure, drawing in zip(figures, drawings, strict=True)]
    overview = ["<h2>The runs</h2>", table_html(runs_table(runs))]
    body = "\n".join([*_summaries(runs), *drawn, *overview, *_evidence(runs), *_configs(runs)])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomically(path, page(_title(runs), body))
        for stale in set(FIGURE_NAMES) - {figure.name for figure in figures}:
            for ending in ("png", "svg"):
                (figures_folder(path) / f"{stale}.{ending}").unlink(missing_ok=True)
        files = [
            file
            for figure, drawing in zip(figures, drawings, strict=True)
            for file in write_drawing(drawing, figure.name, figures_folder(path))
        ]
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidValue(
            f"'{path}' cannot be written: {reason}. Choose a writable place with --out."
        ) from error
    return [path, *files]


def run_notes(run: RunData) -> list[str]:
    """What a reader must know before trusting the numbers; empty for a run that went as usual."""
    notes = []
    if run.status.kind in ("diverged", "failed"):
        notes.append(f"{run.label} counts as a failed run: it {run.status.sentence}.")
    if run.missing:
        notes.append(f"{run.label} has no {' and no '.join(run.missing)}; what they would say is left out.")
    if run.table.repeated:
        notes.append(
            f"{run.label} was resumed from an older checkpoint: {run.table.repeated} rows of updates that were made "
            "twice are shown as they were made last."
        )
    for name, result in run.results.items():
        if result.unreadable:
            notes.append(
                f"{run.label}, {name}: {len(result.unreadable)} of {result.expected} images were unreadable; "
                f"the scores are over the other {result.evaluated}."
            )
    return notes


def _title(runs: Sequence[RunData]) -> str:
    if len(runs) == 1:
        return f"Run {runs[0].label}"
    named = f": {', '.join(run.label for run in runs)}" if len(runs) <= _MOST_IN_TITLE else ""
    return f"{len(runs)} runs{named}"


def _summaries(runs: Sequence[RunData]) -> list[str]:
    lines = [f"<li>{escaped(summary(run))}</li>" for run in runs]
    notes = [f'<p class="note">{escaped(note)}</p>' for run in runs for note in run_notes(run)]
    return ['<ul class="verdicts">', *lines, "</ul>", *notes]


def _evidence(runs: Sequence[RunData]) -> list[str]:
    table = evidence_table(runs)
    if table is None:
        return [
            "<h2>What the numbers rest on</h2>",
            "<p>Nothing was evaluated on its own yet: no result file.</p>",
        ]
    return ["<h2>What the numbers rest on</h2>", table_html(table)]


def _configs(runs: Sequence[RunData]) -> list[str]:
    parts = []
    differences = config_differences(runs)
    if differences is not None:
        parts.append("<h2>How the configs differ</h2>")
        parts.append(_differences(differences))
    parts += [
        f"<details><summary>Config of {escaped(run.label)}</summary>\n"
        f"<pre><code>{escaped(run.directory.config.read_text(encoding='utf-8'))}</code></pre>\n</details>"
        for run in runs
        if run.config
    ]
    return parts


def _differences(table: Table) -> str:
    if not table.rows:
        return "<p>They are equal, key by key.</p>"
    return f"{table_html(table)}\n<p>All other keys are equal.</p>"
