"""Tables of runs side by side: what they were, how they ended, what was measured. Standard library only."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from resnet_zoo.report.figures import Cell, Table
from resnet_zoo.report.numbers import flattened, written, written_seconds
from resnet_zoo.report.run_data import RunData, entry
from resnet_zoo.report.run_facts import (
    averaged_validation_best,
    averaged_validation_last,
    backbone,
    batch,
    convergence,
    data,
    device,
    epochs,
    last_training,
    revision,
    validation_best,
    validation_last,
    versions,
)
from resnet_zoo.runs import EvaluationResult

NOT_SET = "not set"
_MOST_UNREADABLE_NAMED = 20


def runs_table(runs: Sequence[RunData]) -> Table:
    """A column a run; lines that no run has anything for are left out."""
    lines: dict[str, Callable[[RunData], Cell]] = {
        "status": lambda run: run.status.sentence,
        "backbone": backbone,
        "parameters": lambda run: entry(run.record, "parameters"),
        "data": data,
        "global batch": batch,
        "epochs": epochs,
        "test top-1": lambda run: _score(run.results.get("test.json"), "1"),
        "test top-5": lambda run: _score(run.results.get("test.json"), "5"),
        "validation error, best": validation_best,
        "validation error, last": validation_last,
        "validation error of the moving average, best": averaged_validation_best,
        "validation error of the moving average, last": averaged_validation_last,
        "convergence": convergence,
        "training error, last": last_training,
        "training time": lambda run: _speed(run)[0],
        "images per second": lambda run: _speed(run)[1],
        "device": device,
        "precision": lambda run: entry(run.record, "precision") or entry(run.config, "trainer", "precision"),
        "seed": lambda run: run.config.get("seed_everything", entry(run.record, "seed")),
        "started": lambda run: entry(run.record, "started"),
        "host": lambda run: entry(run.record, "host", "name"),
        "versions": versions,
        "git commit": revision,
        "folder": lambda run: str(run.directory.path),
    }
    rows = []
    for name, value in lines.items():
        cells = [value(run) for run in runs]
        if any(cell is not None for cell in cells):
            rows.append((name, *(None if cell is None else written(cell) for cell in cells)))
    return Table("", ("", *(run.label for run in runs)), rows)


def evidence_table(runs: Sequence[RunData]) -> Table | None:
    """What each reported number rests on; None where nothing was evaluated."""
    results = [(run, name, result) for run in runs for name, result in run.results.items()]
    if not results:
        return None
    lines: dict[str, Callable[[EvaluationResult], Cell]] = {
        "top-1": lambda result: _score(result, "1"),
        "top-5": lambda result: _score(result, "5"),
        "loss": lambda result: f"{result.loss:.4f}" if math.isfinite(result.loss) else written(result.loss),
        "images expected": lambda result: result.expected,
        "images evaluated": lambda result: result.evaluated,
        "counted more than once": lambda result: result.duplicates,
        "unreadable": lambda result: _unreadable(result.unreadable),
        "processes": lambda result: result.world_size,
        "protocol": lambda result: f"{result.protocol}: {', '.join(result.views)}",
        "checkpoint": lambda result: ", ".join(result.checkpoints) or None,
        "weights": lambda result: result.weights,
    }
    rows = []
    for line, value in lines.items():
        cells = [value(result) for _, _, result in results]
        if any(cell is not None for cell in cells):
            rows.append((line, *(None if cell is None else written(cell) for cell in cells)))
    return Table("", ("", *(f"{run.label}: {name}" for run, name, _ in results)), rows)


def config_differences(runs: Sequence[RunData]) -> Table | None:
    """The keys whose values differ between the runs; None for fewer than two runs with a config."""
    configs = [(run.label, _values(run.config)) for run in runs if run.config]
    if len(configs) < 2:
        return None
    keys = list(dict.fromkeys(key for _, config in configs for key in config))
    rows = []
    for key in keys:
        cells = [config.get(key, NOT_SET) for _, config in configs]
        if len(set(cells)) > 1:
            rows.append((key, *cells))
    return Table("", ("key", *(label for label, _ in configs)), rows)


def _values(config: Mapping[str, Any]) -> dict[str, str]:
    """Dotted key -> value as a config would write it; a backbone given by its name alone counts as its class path."""
    return {
        "model.backbone.class_path" if key == "model.backbone" else key: json.dumps(value, default=str).strip(
            '"'
        )
        for key, value in flattened(config).items()
    }


def _score(result: EvaluationResult | None, rank: str) -> str | None:
    """Accuracy with its count, and the error."""
    if result is None:
        return None
    accuracy = result.top1 if rank == "1" else result.top5
    correct = result.correct1 if rank == "1" else result.correct5
    if accuracy is None or correct is None:
        return None
    error = 100.0 * (result.evaluated - correct) / result.evaluated
    of = "; moving average" if result.weights == "ema" else ""
    return f"{accuracy:.2f} % ({correct:,} of {result.evaluated:,}); error {error:.2f} %{of}"


def _speed(run: RunData) -> tuple[str | None, str | None]:
    """Training time without validation, and the mean images per second in it."""
    size = entry(run.record, "batch", "global")
    found = run.curves.speed(size if isinstance(size, int) else None)
    if found is None:
        return None, None
    seconds, speed = found
    return (written_seconds(seconds) if math.isfinite(seconds) else None), f"{speed:,.0f}"


def _unreadable(paths: Sequence[str]) -> Cell:
    if not paths:
        return 0
    more = f" and {len(paths) - _MOST_UNREADABLE_NAMED} more" if len(paths) > _MOST_UNREADABLE_NAMED else ""
    return f"{len(paths)}: {', '.join(paths[:_MOST_UNREADABLE_NAMED])}{more}"
