"""The trainings that an experiment needs, and what became of them.

Every one is an ordinary ``fit`` with an ordinary run directory. Its folder's name ends in a digest of its settings, so
that experiments which need the same training share it, and changed settings never meet old results.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from resnet_zoo.runs import LAST, RunDirectory, write_text_atomically

Status = Literal["finished", "diverged", "failed"]


@dataclass(frozen=True)
class TrainingRun:
    """One training.

    Args:
        label: what is trained, a plain name such as "plain56"; runs of different seeds share it.
        seed: of weights, order and augmentation.
        settings: what ``fit`` is told, as the content of a config file.
        config: name of a shipped config that ``settings`` build on; None for none.
        options: further words for ``fit``, such as the user's choice of precision.
        local: further words that differ from machine to machine and change nothing, such as the folder of the data.
        cost: roughly how long it takes, in any unit; long runs start first.
    """

    label: str
    seed: int
    settings: Mapping[str, Any]
    config: str | None = None
    options: tuple[str, ...] = ()
    local: tuple[str, ...] = field(default=(), compare=False)
    cost: float = field(default=1.0, compare=False)

    @property
    def name(self) -> str:
        """The folder's name: label, seed, digest of everything that decides what is trained."""
        identity = json.dumps([self.config, self.settings, self.options, self.seed], sort_keys=True)
        return f"{self.label}-seed{self.seed}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class EvaluationRun:
    """One evaluation of one or several trained models, as ``resnet-zoo validate`` does it.

    Args:
        label: what is tested, a plain name.
        trainings: whose last checkpoints are tested; the predictions of several are averaged.
        protocol: "center", "ten_crop" or "multi_scale".
        cost: roughly how long it takes.
    """

    label: str
    trainings: tuple[TrainingRun, ...]
    protocol: str
    cost: float = field(default=1.0, compare=False)

    @property
    def seed(self) -> int:
        """Of the trainings."""
        return self.trainings[0].seed

    @property
    def name(self) -> str:
        """The folder's name."""
        identity = json.dumps([self.protocol, *(training.name for training in self.trainings)])
        digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
        return f"{self.label}-{self.protocol}-seed{self.seed}-{digest}"


Run = TrainingRun | EvaluationRun


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Attributes:
        status: "finished", "diverged" (the loss or a weight was no number any more) or "failed" (anything else).
        seconds: what the start that ended it took.
        cpu_seconds: processor time of its process in that time.
        message: the error, empty for a finished one.
        host: the machine that ended it.
    """

    status: Status
    seconds: float
    cpu_seconds: float = 0.0
    message: str = ""
    host: str = ""


class RunStore:
    """The runs below an ``--out`` folder.

    Args:
        out: the folder; ``runs``, ``leases``, ``configs`` and ``logs`` are made below it.
    """

    def __init__(self, out: Path) -> None:
        self.out = out

    def directory(self, run: Run) -> RunDirectory:
        """Where a run's files are."""
        return RunDirectory(self.out / "runs" / run.name)

    def lease(self, run: Run) -> Path:
        """The folder of a run's lease."""
        return self.out / "leases" / run.name

    def log(self, run: Run) -> Path:
        """What ``fit`` or ``validate`` printed."""
        return self.out / "logs" / f"{run.name}.txt"

    def outcome(self, run: Run) -> Outcome | None:
        """How a run ended; None if it did not end yet."""
        try:
            text = self._outcome_file(run).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return Outcome(**json.loads(text))

    def record(self, run: Run, outcome: Outcome) -> None:
        """Write down how a run ended."""
        file = self._outcome_file(run)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomically(file, json.dumps(dataclasses.asdict(outcome), indent=2) + "\n")

    def forget_failures(self, runs: Iterable[Run]) -> None:
        """Give runs that failed for an outside reason another chance. One that diverged would diverge again."""
        for run in runs:
            outcome = self.outcome(run)
            if outcome is not None and outcome.status == "failed":
                self._outcome_file(run).unlink(missing_ok=True)

    def words(self, run: Run) -> list[str]:
        """The command line of ``fit``, whose config file this writes, or of ``validate``."""
        return self._test_words(run) if isinstance(run, EvaluationRun) else self._fit_words(run)

    def _test_words(self, run: EvaluationRun) -> list[str]:
        trained = [self.directory(training) for training in run.trainings]
        words = ["validate", "--config", str(trained[0].config), "--protocol", run.protocol]
        for directory in trained:
            words += ["--ckpt_path", str(directory.checkpoints / LAST)]
        # An evaluation that was interrupted starts again in the same folder.
        words += ["--run_dir", str(self.directory(run).path), "--resume", "auto", "--logger", "none"]
        return [*words, *run.trainings[0].local]

    def _fit_words(self, run: TrainingRun) -> list[str]:
        file = self.out / "configs" / f"{run.name}.yaml"
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_text_atomically(file, yaml.safe_dump(_plain(run.settings), sort_keys=False))
        shipped = ["--config", run.config] if run.config else []
        return [
            "fit",
            *shipped,
            "--config",
            str(file),
            "--seed_everything",
            str(run.seed),
            "--run_dir",
            str(self.directory(run).path),
            "--resume",
            "auto",
            "--logger",
            "none",
            *run.options,
            *run.local,
        ]

    def _outcome_file(self, run: Run) -> Path:
        return self.directory(run).path / "outcome.json"


SomeRun = TypeVar("SomeRun", TrainingRun, EvaluationRun)


def unique(runs: Iterable[SomeRun]) -> list[SomeRun]:
    """Each run once, the longest first."""
    by_name = {run.name: run for run in runs}
    return sorted(by_name.values(), key=lambda run: -run.cost)


def of_label(runs: Sequence[TrainingRun], label: str) -> list[TrainingRun]:
    """The runs of one label, by seed."""
    return sorted((run for run in runs if run.label == label), key=lambda run: run.seed)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
