"""How a run ended, or did not. Standard library only."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from resnet_zoo.report.curves import Curves
from resnet_zoo.report.numbers import written, written_seconds
from resnet_zoo.runs import RunDirectory

RECENT_SECONDS = 900.0
"""A run whose last row is younger may well be running: compiling and validating write nothing for minutes."""


@dataclass(frozen=True)
class RunStatus:
    """How a run ended.

    Attributes:
        kind: "evaluation" for a directory of ``test`` or ``validate``; "in progress" if it wrote lately; "ended" if
            nothing says how long it was to be.
        sentence: the same for a reader, with what is behind it.
    """

    kind: Literal["finished", "in progress", "interrupted", "diverged", "failed", "ended", "evaluation"]
    sentence: str


def run_status(
    directory: RunDirectory,
    config: Mapping[str, Any],
    record: Mapping[str, Any],
    curves: Curves,
    has_result: bool,
    status: Mapping[str, Any],
) -> RunStatus:
    """Judge from what the directory holds.

    Args:
        directory: for the age of its files.
        config: says how long the run was to be.
        record: says whether it was an evaluation only.
        curves: say how far it came, and whether a loss was no number any more.
        has_result: whether a result file is there.
        status: the content of ``status.json``, whose "status" may say "diverged" or "failed", with a "message".
    """
    if not curves.table.rows and has_result:
        return RunStatus("evaluation", f"evaluation of {record.get('evaluates') or 'a checkpoint'}")
    progress = _progress(config, curves)
    bad = _first_non_finite(curves)
    message = str(status.get("message") or "")
    if bad or status.get("status") == "diverged":
        return RunStatus(
            "diverged", f"diverged after {progress}: {bad or message or 'a loss or weight was no number'}"
        )
    if status.get("status") == "failed":
        return RunStatus("failed", f"failed after {progress}: {message or 'status.json does not say why'}")
    said_so = status.get("status") == "finished"
    if said_so or _reached(config, curves) or (has_result and _result_is_newest(directory)):
        return RunStatus("finished", f"finished after {progress}")
    age = time.time() - directory.metrics.stat().st_mtime
    ago = f"last row {written_seconds(max(age, 0.0))} ago"
    if _planned(config) is None and age > RECENT_SECONDS:
        return RunStatus("ended", f"ended after {progress}; no config says how long it was to be")
    if age <= RECENT_SECONDS:
        return RunStatus("in progress", f"in progress or just interrupted: {progress}, {ago}")
    return RunStatus("interrupted", f"interrupted after {progress}, {ago}")


def _planned(config: Mapping[str, Any]) -> tuple[str, float] | None:
    """What the trainer was to reach: the lesser of two limits is not known beforehand, so updates go first."""
    trainer = config.get("trainer")
    for key, unit in (("max_steps", "updates"), ("max_epochs", "epochs")):
        value = trainer.get(key) if isinstance(trainer, Mapping) else None
        if isinstance(value, int) and value > 0:
            return unit, float(value)
    return None


def _reached(config: Mapping[str, Any], curves: Curves) -> bool:
    trainer = config.get("trainer")
    limits = trainer if isinstance(trainer, Mapping) else {}
    steps, epochs = limits.get("max_steps"), limits.get("max_epochs")
    return (isinstance(steps, int) and 0 < steps <= curves.updates) or (
        isinstance(epochs, int) and 0 < epochs <= curves.epochs + 1e-9
    )


def _progress(config: Mapping[str, Any], curves: Curves) -> str:
    planned = _planned(config)
    unit = planned[0] if planned else "epochs"
    done = curves.updates if unit == "updates" else math.floor(10 * curves.epochs + 1e-6) / 10
    of = f" of {written(round(planned[1]))}" if planned else ""
    return f"{written(done)}{of} {unit}"


def _first_non_finite(curves: Curves) -> str:
    for row in curves.table.rows:
        for name, value in row.values.items():
            if name in ("train/loss", "val/loss") and not math.isfinite(value):
                return f"{name} is {written(value)} after update {written(row.step)}"
    return ""


def _result_is_newest(directory: RunDirectory) -> bool:
    """Whether an evaluation was written after the last row, which is how ``fit`` ends."""
    files = [file for file in (directory.result("test"), directory.result("val")) if file.is_file()]
    return any(file.stat().st_mtime >= directory.metrics.stat().st_mtime - 1.0 for file in files)
