"""The three trainings of a trial of resuming, and the verdict on them."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from resnet_zoo.callbacks.checkpoint_integrity import newest_valid
from resnet_zoo.cli.run_comparison import Finding, compare_runs
from resnet_zoo.cli.state_comparison import causes
from resnet_zoo.cli.trial_plan import TrialPlan
from resnet_zoo.cli.trial_processes import Run
from resnet_zoo.runs import RunDirectory, redact_text

STRAIGHT, INTERRUPTED, RESUMED = "uninterrupted", "interrupted", "resumed"
FAILED = 1
_KILLED = -signal.SIGKILL
_LAST_LINES = 25


@dataclass(frozen=True)
class Trial:
    """Three trainings and what came of them.

    Args:
        plan: how far, and where to kill.
        fit: the user's options.
        folder: for everything.
        run: how a training is run.
    """

    plan: TrialPlan
    fit: Sequence[str]
    folder: Path
    run: Run

    def run_all(self) -> int:
        """Train without a stop, train until killed, resume.

        Returns:
            0, or the exit code of the training that failed, whose last words are shown.
        """
        kill = ["--kill-at", str(self.plan.kill_at)]
        steps: tuple[tuple[str, str, list[str], list[str], int], ...] = (
            (STRAIGHT, STRAIGHT, [], [], 0),
            (INTERRUPTED, INTERRUPTED, kill, [], _KILLED),
            (RESUMED, INTERRUPTED, [], ["--resume=auto"], 0),
        )
        for number, (name, directory, ours, resume, expected) in enumerate(steps, start=1):
            print(f"{number}/{len(steps)} {name:<13}", end="", flush=True)
            started = time.monotonic()
            code = self.run(self._words(name, directory, ours, resume), self.log(name))
            print(f" {time.monotonic() - started:6.1f} s", end="", flush=True)
            if code != expected:
                print(flush=True)
                return self._failed(name, code)
            print(self._remark(name), flush=True)
        return 0

    def _remark(self, name: str) -> str:
        if name != INTERRUPTED:
            return ""
        start = self.resumed_from
        newest = (
            "it has left no checkpoint" if start is None else f"its newest checkpoint is of update {start}"
        )
        return f"  killed after update {self.plan.kill_at}; {newest}"

    def _words(self, name: str, directory: str, ours: Sequence[str], resume: Sequence[str]) -> list[str]:
        samples, state = self.folder / "samples" / directory, self.folder / "state" / name
        words = [f"--samples={samples}", f"--state={state}", *ours]
        if self.plan.epochs is not None:
            words.append(f"--epochs={self.plan.epochs}")
        words += ["fit", *self.fit, *self.plan.words, "--logger=none", f"--run_dir={self.folder / directory}"]
        return [*words, *resume]

    def log(self, name: str) -> Path:
        """What a training printed."""
        return self.folder / f"{name}.log"

    @cached_property
    def resumed_from(self) -> int | None:
        """The update of the newest checkpoint that the killed training left; to be asked for before it is resumed."""
        choice = newest_valid(RunDirectory(self.folder / INTERRUPTED).checkpoints)
        return None if choice.path is None else int(choice.content["global_step"])

    def _failed(self, name: str, code: int) -> int:
        text = self.log(name).read_text(encoding="utf-8", errors="replace")
        print(redact_text("\n".join(text.rstrip().splitlines()[-_LAST_LINES:])), file=sys.stderr)
        how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        if name == INTERRUPTED and code == 0:
            how = f"it ended by itself, before update {self.plan.kill_at}"
        print(f"the {name} training failed: {how}. It printed the above.", file=sys.stderr, flush=True)
        return code if code > 0 else FAILED

    def verdict(self) -> tuple[bool, list[str]]:
        """Whether the two trainings are identical; a line for each thing compared, and a sentence at the end."""
        straight, other = (RunDirectory(self.folder / name) for name in (STRAIGHT, INTERRUPTED))
        samples = (self.folder / "samples" / STRAIGHT, self.folder / "samples" / INTERRUPTED)
        findings = compare_runs(straight, other, samples)
        width = max(len(finding.what) for finding in findings)
        lines = [
            f"{'same' if finding.identical else 'DIFFERENT':<10} {finding.what:<{width}}  {finding.details}"
            for finding in findings
        ]
        identical = all(finding.identical for finding in findings)
        if not identical:
            states = (self.folder / "state" / name for name in (STRAIGHT, INTERRUPTED, RESUMED))
            lines += [f"cause      {sentence}" for sentence in causes(*states)]
        return identical, [*lines, self._sentence(findings)]

    def _sentence(self, findings: Sequence[Finding]) -> str:
        different = [finding.what for finding in findings if not finding.identical]
        start = self.resumed_from
        where = "from the beginning" if start is None else f"from update {start}"
        what = f"killed after update {self.plan.kill_at} and resumed {where}"
        if not different:
            return (
                f"Identical: the training that was {what} is to the last bit the one that was never stopped."
            )
        return f"NOT identical: the training that was {what} differs in its {', '.join(different)}."
