"""Everything a run directory tells, read once and checked. Standard library only."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from resnet_zoo.errors import InvalidValue, MissingData
from resnet_zoo.report.convergence import Convergence, judge_convergence
from resnet_zoo.report.curves import Curve, Curves
from resnet_zoo.report.metrics_table import MetricsTable, read_metrics
from resnet_zoo.report.run_search import advice
from resnet_zoo.report.run_status import RunStatus, run_status
from resnet_zoo.runs import EvaluationResult, InconsistentResult, RunDirectory


@dataclass(frozen=True)
class RunData:
    """One run.

    Attributes:
        directory: where it lies.
        label: its short name, unique in a report.
        config: the resolved configuration; empty if there is none.
        record: what made the run; empty if there is none.
        table: the rows of ``metrics.csv``; without rows for a mere evaluation.
        results: file name -> evaluation, ``test.json`` and ``validate.json`` first.
        status: how it ended, or did not.
        missing: files that a run usually has, and this one has not.
    """

    directory: RunDirectory
    label: str
    config: Mapping[str, Any]
    record: Mapping[str, Any]
    table: MetricsTable
    results: Mapping[str, EvaluationResult]
    status: RunStatus
    missing: Sequence[str]

    @cached_property
    def curves(self) -> Curves:
        """The rows as curves over epochs."""
        return _curves(self.table, self.record)

    @cached_property
    def validation_error(self) -> Curve:
        """Top-1 validation error in percent, as often as it was measured."""
        return self._error("val/top1")

    @cached_property
    def averaged_validation_error(self) -> Curve:
        """The same of the moving average of the weights; empty for a run without one."""
        return self._error("val/ema_top1")

    def _error(self, metric: str) -> Curve:
        accuracy = self.curves.evaluations(metric)
        return Curve(accuracy.x, [100.0 - value for value in accuracy.y])

    @cached_property
    def convergence(self) -> Convergence | None:
        """What the rule says of the validation error; None without one, or for a run that diverged."""
        if self.status.kind == "diverged" or not self.validation_error.x:
            return None
        images = entry(self.record, "data", "num_samples", "val")
        resolution = 100.0 / images if isinstance(images, int) and images > 0 else 0.0
        return judge_convergence(*self.validation_error, resolution=resolution)


def read_runs(paths: Sequence[Path], read_config: Callable[[Path], Mapping[str, Any]]) -> list[RunData]:
    """Read several run directories.

    Args:
        paths: the folders.
        read_config: reads a YAML file.

    Raises:
        MissingData: a path is no run directory, or the run has nothing to report; the nearest runs are named.
        InvalidValue: a file in it is not what it should be, or a run is named twice.
    """
    labels = short_labels(paths)
    return [_read_run(path, label, read_config) for path, label in zip(paths, labels, strict=True)]


def _read_run(path: Path, label: str, read_config: Callable[[Path], Mapping[str, Any]]) -> RunData:
    directory = RunDirectory(path)
    results = _read_results(directory) if path.is_dir() else {}
    if not results and not directory.metrics.is_file():
        raise MissingData(advice(path))
    config = read_config(directory.config) if directory.config.is_file() else {}
    table = read_metrics(directory.metrics) if directory.metrics.is_file() else MetricsTable((), ())
    record = _read_json(directory.record)
    usual = [directory.config, directory.record, *([] if "evaluates" in record else [directory.metrics])]
    return RunData(
        directory,
        label,
        config,
        record,
        table,
        results,
        run_status(
            directory, config, record, _curves(table, record), bool(results), _read_json(directory.status)
        ),
        [file.name for file in usual if not file.is_file()],
    )


def _curves(table: MetricsTable, record: Mapping[str, Any]) -> Curves:
    images, batch = entry(record, "data", "num_samples", "train"), entry(record, "batch", "global")
    known = isinstance(images, int) and isinstance(batch, int) and batch > 0
    return Curves(table, math.ceil(images / batch) if known else None)


def _read_results(directory: RunDirectory) -> dict[str, EvaluationResult]:
    """Every JSON file that is a result: those of ``test`` and ``validate`` first, then others by name."""
    first = [directory.result("test"), directory.result("val")]
    others = sorted(set(directory.path.glob("*.json")) - {*first, directory.record, directory.status})
    results = {}
    for file in [*filter(Path.is_file, first), *others]:
        if file not in first and "correct1" not in _read_json(file):
            continue
        try:
            results[file.name] = EvaluationResult.read(file)
        except InconsistentResult as error:
            named = "" if str(file) in str(error) else f"{file}: "
            raise InvalidValue(
                f"{named}{error} A result file holds what 'test' or 'validate' wrote, unchanged; run it again."
            ) from error
    return results


def _read_json(file: Path) -> dict[str, Any]:
    """A JSON object; empty if there is no file."""
    if not file.is_file():
        return {}
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidValue(
            f"{file}: not valid JSON ({error}). Expected the object that 'fit' wrote."
        ) from error
    if not isinstance(values, dict):
        raise InvalidValue(f"{file}: expected a JSON object, found {type(values).__name__}.")
    return values


def entry(values: Mapping[str, Any], *keys: str) -> Any:
    """A nested value; None where a key on the way is missing."""
    found: Any = values
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def short_labels(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart; a bare number keeps the folder before it.

    Raises:
        InvalidValue: two of them are the same folder.
    """
    whole = [path.resolve() for path in paths]
    twice = next((path for position, path in enumerate(whole) if path in whole[:position]), None)
    if twice is not None:
        raise InvalidValue(f"run directory '{twice}' is named twice. Name each run once.")
    labels = []
    for path in whole:
        length = 2 if path.name.isdecimal() else 1
        while sum(other.parts[-length:] == path.parts[-length:] for other in whole) > 1:
            length += 1
        labels.append("/".join(path.parts[-length:]))
    return labels
