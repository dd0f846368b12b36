"""What to say when a path is no run directory: where the nearest ones are. Standard library only."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from resnet_zoo.runs import RunDirectory

DEEPEST = 3
MOST_FOLDERS = 2000
"""Looking for runs must not become a walk through somebody's whole disk."""
MOST_NAMED = 5


def advice(path: Path) -> str:
    """The message for a path that has nothing to report: what is wrong with it, and which runs are near."""
    if not path.exists():
        start = next(parent for parent in (*path.absolute().parents, Path("/")) if parent.is_dir())
        return f"no run directory at '{path}': there is no such folder. {_nearest(path, start)}"
    if path.is_file():
        around = [parent for parent in path.absolute().parents if _is_run(parent)]
        found = f"The run is '{_shown(around[0])}'." if around else _nearest(path, path.absolute().parent)
        return f"'{path}' is a file; a run is a folder. {found}"
    traces = RunDirectory(path).traces_of_a_run()
    if traces:
        return (
            f"'{path}' has nothing to report yet: it holds {', '.join(traces)}, but neither 'metrics.csv' nor a "
            "result file. 'fit' writes the first row after trainer.log_every_n_steps updates."
        )
    return (
        f"'{path}' is not a run directory: it holds neither 'metrics.csv' nor 'test.json' nor 'validate.json'. "
        f"{_nearest(path, path.absolute())}"
    )


def _nearest(given: Path, start: Path) -> str:
    wanted = str(given.absolute())
    runs = sorted(
        _runs_below(start),
        key=lambda run: (-difflib.SequenceMatcher(None, wanted, str(run)).ratio(), str(run)),
    )
    if not runs:
        return f"There is no run below '{_shown(start)}' either; 'resnet-zoo fit' makes them, by default in 'runs'."
    named = ", ".join(f"'{_shown(run)}'" for run in runs[:MOST_NAMED])
    return f"Runs near it: {named}{', …' if len(runs) > MOST_NAMED else ''}."


def _runs_below(start: Path) -> Iterator[Path]:
    """Run directories at most ``DEEPEST`` folders below, those on top first."""
    level, seen = [start], 0
    for _ in range(DEEPEST + 1):
        below: list[Path] = []
        for folder in level:
            seen += 1
            if seen > MOST_FOLDERS:
                return
            if _is_run(folder):
                yield folder
                continue
            try:
                below += sorted(
                    entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")
                )
            except OSError:
                continue
        level = below


def _is_run(folder: Path) -> bool:
    directory = RunDirectory(folder)
    return any(
        file.is_file() for file in (directory.metrics, directory.result("test"), directory.result("val"))
    )


def _shown(path: Path) -> Path:
    """The path as one would type it from here."""
    here = Path.cwd()
    return path.relative_to(here) if path != here and path.is_relative_to(here) else path
