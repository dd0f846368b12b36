"""From the names of experiments to reports: what must be trained, and what the results say."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence

from resnet_zoo.experiments import catalogue
from resnet_zoo.experiments.experiment import NOT_JUDGED, Evidence, Experiment
from resnet_zoo.experiments.runs import EvaluationRun, Run, RunStore, TrainingRun, unique
from resnet_zoo.experiments.setting import Setting
from resnet_zoo.report import claims_json, draw, write_experiment_html
from resnet_zoo.report.figures import Claim, ExperimentReport
from resnet_zoo.runs import write_text_atomically

Say = Callable[[str], None]


class Conductor:
    """Several experiments in one setting.

    Args:
        setting: the user's choices.
        names: of the experiments.

    Raises:
        MissingData: an experiment's data are not there; nothing has been started.
    """

    def __init__(self, setting: Setting, names: Sequence[str]) -> None:
        self.setting = setting
        self.store = RunStore(setting.out)
        self.experiments = [catalogue.load(name) for name in names]
        for experiment in self.experiments:
            experiment.check(setting)
        self.plans = {experiment.name: experiment.plan(setting) for experiment in self.experiments}
        self.runs: list[TrainingRun] = unique(run for plan in self.plans.values() for run in plan)
        self.tests: list[EvaluationRun] = unique(
            test for experiment in self.experiments for test in experiment.tests(setting)
        )
        self._reports: dict[str, ExperimentReport] = {}

    def commands(self) -> list[list[str]]:
        """The words behind ``resnet-zoo`` for every training and evaluation that has not ended."""
        return [self.store.words(run) for run in self.everything() if self.store.outcome(run) is None]

    def everything(self) -> list[Run]:
        """All trainings, then all further evaluations."""
        return [*self.runs, *self.tests]

    def judge_untrained(self, say: Say) -> None:
        """Judge the experiments that train no network, which can be done while others train."""
        for experiment in self.experiments:
            if not self.plans[experiment.name]:
                self._judge(experiment, say)

    def judge(self, say: Say) -> list[ExperimentReport]:
        """Judge what is not judged yet.

        Returns:
            the reports of all experiments, in their order.
        """
        for experiment in self.experiments:
            if experiment.name not in self._reports:
                self._judge(experiment, say)
        return [self._reports[experiment.name] for experiment in self.experiments]

    def _judge(self, experiment: Experiment, say: Say) -> None:
        started = time.monotonic()
        runs = self.plans[experiment.name]
        evidence = Evidence(self.store, unique(runs), experiment.tests(self.setting))
        report = experiment.judge(self.setting, evidence)
        # Training is counted in every experiment that uses it, shared or not.
        seconds = evidence.seconds + time.monotonic() - started
        timed = [dataclasses.replace(claim, seconds=round(seconds, 1)) for claim in report.claims]
        self._reports[experiment.name] = dataclasses.replace(report, claims=timed)
        say(f"{experiment.name}: {seconds:.0f} s of work, {len(runs)} trainings")
        for claim in timed:
            say(f"  {claim.verdict:<10}  {claim.sentence}")

    def write(self, reports: Sequence[ExperimentReport]) -> None:
        """Write ``claims.json``, ``report.html`` and the figures."""
        out = self.setting.out
        out.mkdir(parents=True, exist_ok=True)
        ledger = json.dumps(claims_json(reports), indent=2, allow_nan=False)
        write_text_atomically(out / "claims.json", ledger + "\n")
        for report in reports:
            for figure in report.figures:
                draw(figure, out / "figures")
        write_experiment_html(reports, out / "report.html")

    def unfinished(self) -> list[Run]:
        """Runs that are missing or failed for an outside reason."""
        outcomes = [(run, self.store.outcome(run)) for run in self.everything()]
        return [run for run, outcome in outcomes if outcome is None or outcome.status == "failed"]


def failed(claims: Sequence[Claim]) -> list[Claim]:
    """Claims that do not hold, or that could not be judged though they should have been."""
    return [
        claim
        for claim in claims
        if claim.verdict == "fails" or (claim.verdict == "no verdict" and claim.rule != NOT_JUDGED)
    ]
