"""Train what is not trained yet, beside any number of others who do the same in the same folder."""

from __future__ import annotations

import platform
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from resnet_zoo.errors import UserMistake
from resnet_zoo.experiments.lease import SILENT_SECONDS, Lease, Watch, holder, take
from resnet_zoo.experiments.runs import Outcome, Run, RunStore, Status, TrainingRun
from resnet_zoo.experiments.scoring import score_last_epoch
from resnet_zoo.runs import PREEMPTED, read_status

STOPPED = (PREEMPTED, 130)
"""Exit codes of ``fit`` after a scheduler's signal and after Ctrl-C."""

POLL_SECONDS = 1.0
REMIND_SECONDS = 60.0


class StoppedBySignal(Exception):
    """A training was told to stop; its checkpoint is saved and whoever starts the same command again continues it.

    Args:
        code: the exit code that the training had.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"stopped by a signal, exit code {code}")
        self.code = code


Fit = Callable[[list[str], Path], int]
"""Runs ``resnet-zoo`` with these words, writes what it prints to that file, and returns its exit code."""

Say = Callable[[str], None]


class Worker:
    """Works off a list of runs.

    Args:
        store: where the runs are.
        fit: how one is trained.
        say: told one line about each run that ended, and about waiting.
        silent_seconds: how long a holder on another machine that gives no sign of life is waited for.
    """

    def __init__(self, store: RunStore, fit: Fit, say: Say, silent_seconds: float = SILENT_SECONDS) -> None:
        self.store, self.fit, self.say = store, fit, say
        self._watch = Watch(silent_seconds)

    def train(self, runs: Sequence[Run], wait: bool = True) -> None:
        """Train every run that has not ended and that nobody else is training.

        A run that fails is noted as such and the others go on; a user's mistake ends everything, since it would
        come back with every run.

        Args:
            runs: in the order in which they are tried.
            wait: stay until the runs that others are training have ended too, and take over from those who died.
        """
        reminded = time.monotonic()
        while waiting := self._open(runs):
            trained = False
            for run in waiting:
                if self._try(run):
                    trained = True
                    self._say_what_became_of(run, runs)
            if trained:
                continue
            if not wait:
                return
            if time.monotonic() - reminded >= REMIND_SECONDS:
                reminded = time.monotonic()
                self.say(f"waiting for {', '.join(self._who_has(run) for run in waiting)}")
            time.sleep(POLL_SECONDS)

    def _open(self, runs: Sequence[Run]) -> list[Run]:
        return [run for run in runs if self.store.outcome(run) is None]

    def _who_has(self, run: Run) -> str:
        present = holder(self.store.lease(run))
        return f"{run.label} seed {run.seed} ({present})"

    def _say_what_became_of(self, run: Run, runs: Sequence[Run]) -> None:
        outcome = self.store.outcome(run)
        if outcome is not None:
            ended = len(runs) - len(self._open(runs))
            text = f"[{ended}/{len(runs)}] {run.label} seed {run.seed}: {outcome.status}, {outcome.seconds:.1f} s"
            self.say(f"{text}. {outcome.message}" if outcome.message else text)

    def _try(self, run: Run) -> bool:
        """Train a run if it is free; whether it was."""
        if self.store.outcome(run) is not None:
            return False
        lease = take(self.store.lease(run), self._watch)
        if lease is None:
            return False
        with lease:
            # Between the look and the lease another process may have finished it.
            if self.store.outcome(run) is None:
                self._train(run, lease)
        return True

    def _train(self, run: Run, lease: Lease) -> None:
        started, started_cpu = time.monotonic(), time.process_time()
        log = self.store.log(run)
        log.parent.mkdir(parents=True, exist_ok=True)
        try:
            status, message = self._fit(run, log)
            if status == "finished" and isinstance(run, TrainingRun):
                score_last_epoch(self.store.directory(run))
        except (UserMistake, StoppedBySignal):
            raise
        except Exception as error:  # whatever one training fails of, the others are worth having
            with log.open("a", encoding="utf-8") as file:
                traceback.print_exc(file=file)
            status, message = "failed", f"{type(error).__name__}: {error} See '{log}'."
        if lease.lost:
            self.say(f"{run.label} seed {run.seed}: another process took over while this one was suspended")
            return
        seconds, cpu_seconds = time.monotonic() - started, time.process_time() - started_cpu
        self.store.record(run, Outcome(status, seconds, cpu_seconds, message, platform.node()))

    def _fit(self, run: Run, log: Path) -> tuple[Status, str]:
        code = self.fit(self.store.words(run), log)
        if code == 0:
            return "finished", ""
        if code in STOPPED:
            raise StoppedBySignal(code)
        found = read_status(self.store.directory(run).status)
        message = str(found.get("message", f"exit code {code}, see '{log}'"))
        return ("diverged" if found.get("status") == "diverged" else "failed"), message
