"""Runs that look finished, without training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from resnet_zoo.experiments.runs import Outcome, RunStore, TrainingRun
from resnet_zoo.experiments.setting import Setting
from resnet_zoo.runs import EvaluationResult

CURVES = "step,epoch,train/top1,val/top1\n23,0,50.0,\n23,0,,60.0\n46,1,70.0,\n46,1,,80.0\n"


def result(split: str, error: float) -> EvaluationResult:
    """As if ten thousand images had been scored."""
    correct = round(10_000 - 100 * error)
    return EvaluationResult(split, correct / 100, 100.0, 0.1, correct, 10_000, 10_000, 10_000)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "out")


@pytest.fixture
def quick(store: RunStore) -> Setting:
    return Setting("quick", store.out)


@pytest.fixture
def finish(store: RunStore) -> Callable[[TrainingRun, float, float], None]:
    """Lets a run look finished with a training and a test error, in percent; seed n is n tenths worse."""

    def finish(run: TrainingRun, train_error: float, test_error: float) -> None:
        directory = store.directory(run)
        directory.path.mkdir(parents=True, exist_ok=True)
        errors = {
            "last-train": train_error,
            "last-test": test_error,
            "last-val": test_error,
            "test": test_error,
        }
        for name, error in errors.items():
            result(name, error + run.seed / 10).write(directory.result(name))
        directory.metrics.write_text(CURVES)
        directory.config.write_text(yaml.safe_dump({"data": {"class_path": "Digits", "init_args": {}}}))
        store.record(run, Outcome("finished", 2.0))

    return finish
