"""What an experiment is, and the evidence that it is judged by."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from resnet_zoo.experiments.rules import Numbers, Rule
from resnet_zoo.experiments.runs import EvaluationRun, Run, RunStore, TrainingRun, of_label
from resnet_zoo.experiments.scoring import result_name
from resnet_zoo.experiments.setting import Preset, Setting
from resnet_zoo.report.figures import Claim, ExperimentReport
from resnet_zoo.runs import LAST, EvaluationResult

NOT_JUDGED = "Not judged here."
"""The rule of a claim of the paper that the preset's measurements cannot decide."""


@dataclass(frozen=True)
class Experiment:
    """One experiment.

    Args:
        name: on the command line.
        title: a heading.
        presets: those it has.
        plan: the trainings that it needs.
        judge: turns what was measured into claims, figures and tables.
        check: refuses to start when data are missing; called before any training.
        tests: evaluations beyond those that every training ends with.
    """

    name: str
    title: str
    presets: tuple[Preset, ...]
    plan: Callable[[Setting], list[TrainingRun]]
    judge: Callable[[Setting, Evidence], ExperimentReport]
    check: Callable[[Setting], None] = lambda setting: None
    tests: Callable[[Setting], list[EvaluationRun]] = lambda setting: []


@dataclass
class Evidence:
    """What the runs of an experiment left behind.

    Args:
        store: where they are.
        runs: all trainings.
        tests: all further evaluations.
    """

    store: RunStore
    runs: Sequence[TrainingRun]
    tests: Sequence[EvaluationRun] = ()

    def of(self, label: str) -> list[TrainingRun]:
        """The runs of one label that ended, by seed. One that failed for an outside reason is as good as missing."""
        found = []
        for run in of_label(self.runs, label):
            outcome = self.store.outcome(run)
            if outcome is not None and outcome.status != "failed":
                found.append(run)
        return found

    def errors(self, label: str, split: str = "train", diverged: float = math.nan) -> list[float]:
        """Top-1 error of the last epoch in percent, one for each seed.

        Args:
            label: of the runs.
            split: "train" or "test".
            diverged: what a run that diverged counts as.
        """
        return [100.0 - result.top1 if result else diverged for result in self.results(label, split)]

    def losses(self, label: str, split: str = "train", diverged: float = math.nan) -> list[float]:
        """Mean cross-entropy of the last epoch, one for each seed."""
        return [result.loss if result else diverged for result in self.results(label, split)]

    def results(self, label: str, split: str) -> list[EvaluationResult | None]:
        """Scores of the last epoch for each seed; None where the run diverged."""
        return [self._result(run, split) for run in self.of(label)]

    def _result(self, run: TrainingRun, split: str) -> EvaluationResult | None:
        outcome = self.store.outcome(run)
        assert outcome is not None
        if outcome.status == "diverged":
            return None
        return EvaluationResult.read(self.store.directory(run).result(result_name(split)))

    def chosen_errors(self, label: str, diverged: float = math.nan) -> list[float]:
        """Top-1 test error in percent of the checkpoint that validated best, which ``fit`` ends with, for each seed."""
        errors = []
        for run in self.of(label):
            file = self.store.directory(run).result("test")
            errors.append(100.0 - EvaluationResult.read(file).top1 if file.is_file() else diverged)
        return errors

    def tested(self, label: str, protocol: str) -> list[EvaluationResult]:
        """Results of the further evaluations of one label under one protocol, by seed."""
        found = []
        for test in sorted(self.tests, key=lambda test: test.seed):
            outcome = self.store.outcome(test)
            if (test.label, test.protocol) == (label, protocol) and outcome and outcome.status == "finished":
                directory = self.store.directory(test)
                files = [directory.result(split) for split in ("test", "val")]
                found += [EvaluationResult.read(file) for file in files if file.is_file()][:1]
        return found

    def checkpoints(self, label: str) -> dict[int, Path]:
        """Seed -> the last checkpoint, of the runs that finished."""
        files = {}
        for run in self.of(label):
            outcome, file = self.store.outcome(run), self.store.directory(run).checkpoints / LAST
            if outcome is not None and outcome.status == "finished" and file.is_file():
                files[run.seed] = file
        return files

    def curve(self, label: str, metric: str) -> list[dict[float, float]]:
        """For each seed that left one: epoch (from 1) -> the mean of a column of ``metrics.csv`` within that epoch."""
        files = [self.store.directory(run).metrics for run in self.of(label)]
        return [read_curve(file, metric) for file in files if file.is_file()]

    def remarks(self) -> list[str]:
        """A sentence for each run that did not finish."""
        found = []
        for run in self._all():
            outcome = self.store.outcome(run)
            if outcome is None:
                found.append(f"{run.label}, seed {run.seed}: not there yet.")
            elif outcome.status != "finished":
                found.append(f"{run.label}, seed {run.seed}: {outcome.status}. {outcome.message}")
        return found

    def _all(self) -> list[Run]:
        return [*self.runs, *self.tests]

    @property
    def seconds(self) -> float:
        """What all trainings and evaluations took, one after the other."""
        outcomes = (self.store.outcome(run) for run in self._all())
        return sum(outcome.seconds for outcome in outcomes if outcome is not None)


def read_curve(file: Path, metric: str) -> dict[float, float]:
    """Epoch (1 for the first) -> mean of a column of ``metrics.csv`` within it."""
    values: dict[float, list[float]] = {}
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row.get(metric):
                values.setdefault(float(row["epoch"]) + 1, []).append(float(row[metric]))
    return {epoch: sum(found) / len(found) for epoch, found in sorted(values.items())}


@dataclass
class ClaimMaker:
    """Makes the claims of one experiment, with what they have in common.

    Args:
        setting: the user's choices.
        experiment: its name.
        remarks: on the data and on runs that failed, for every claim.
    """

    setting: Setting
    experiment: str
    remarks: Sequence[str] = ()

    def claim(
        self,
        name: str,
        sentence: str,
        source: str,
        rule: Rule,
        measured: Mapping[str, Numbers],
        *,
        num_seeds: int | None = None,
        remarks: Sequence[str] = (),
        also: Mapping[str, Numbers] | None = None,
    ) -> Claim:
        """A claim and the verdict on it.

        Args:
            name: unique in the experiment.
            sentence: what is claimed.
            source: paper, section, figure or table.
            rule: decides.
            measured: the numbers, in the order in which the rule takes them.
            num_seeds: how many each should have; by default as many as the setting says.
            remarks: on this claim alone.
            also: numbers that the rule does not look at.
        """
        expected = len(self.setting.seeds()) if num_seeds is None else num_seeds
        return Claim(
            name=name,
            sentence=sentence,
            source=source,
            rule=rule.text,
            measured={key: list(numbers) for key, numbers in {**measured, **(also or {})}.items()},
            verdict=rule.decide(*measured.values(), num_seeds=expected),
            command=self.setting.command(self.experiment),
            remarks=[*remarks, *self.remarks],
        )

    def not_judged(
        self, name: str, sentence: str, source: str, measured: Mapping[str, Numbers], why: str
    ) -> Claim:
        """A claim of the paper that these measurements cannot decide."""
        return Claim(
            name=name,
            sentence=sentence,
            source=source,
            rule=NOT_JUDGED,
            measured={key: list(numbers) for key, numbers in measured.items()},
            verdict="no verdict",
            command=self.setting.command(self.experiment),
            remarks=[why, *self.remarks],
        )
