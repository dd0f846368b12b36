"""``resnet-zoo report``: curves and tables of runs as one HTML file. Imports neither torch nor Lightning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from resnet_zoo.cli.config_files import read_config
from resnet_zoo.cli.parser import CommandParser
from resnet_zoo.errors import InvalidValue
from resnet_zoo.report.run_data import RunData, read_runs
from resnet_zoo.report.run_facts import summary
from resnet_zoo.report.run_page import figures_folder, run_notes, write_run_report

DEFAULT_NAME = "report.html"


def main(argv: list[str]) -> int:
    """Write the report and say where it is."""
    parser = CommandParser(
        "report",
        "Error, loss, learning rate, throughput and gradient norms of one or several runs, a table of what they were\n"
        "and what they reached, the evidence for their numbers, and how their configs differ: one HTML file with\n"
        "everything inside, and the figures as PNG and SVG in a folder beside it.",
        "resnet-zoo report runs/r20_cifar10/1 runs/plain56_cifar10/1 --out comparison.html",
    )
    parser.add_argument(
        "runs", nargs="+", metavar="RUN", type=Path, help="run directory, such as runs/quickstart/1"
    )
    parser.add_argument(
        "--out",
        metavar="FILE.html",
        type=Path,
        help=f"by default {DEFAULT_NAME} in the run directory, or in the current folder for several runs",
    )
    options = parser.parse_args(argv)
    runs = read_runs(options.runs, _values)
    path = _destination(options.out, runs)
    replaces = path.exists()
    files = write_run_report(runs, path)
    for run in runs:
        print(summary(run))
    for note in [note for run in runs for note in run_notes(run)]:
        print(f"note: {note}")
    print(f"{'replaced' if replaces else 'written to'}  {path}")
    if len(files) > 1:
        print(f"figures  {figures_folder(path)} ({len(files) // 2}, each as PNG and SVG)")
    return 0


def _values(path: Path) -> Mapping[str, Any]:
    return read_config(path).values


def _destination(given: Path | None, runs: Sequence[RunData]) -> Path:
    if given is None:
        return runs[0].directory.path / DEFAULT_NAME if len(runs) == 1 else Path(DEFAULT_NAME)
    if given.is_dir():
        raise InvalidValue(f"--out {given}: this is a folder. Name a file, such as '{given / DEFAULT_NAME}'.")
    if given.suffix.lower() not in (".html", ".htm"):
        raise InvalidValue(
            f"--out {given}: a report is an HTML file. Name it '{given.with_suffix('.html')}'."
        )
    return given
