"""Our own training, the real ``fit``, with others taking turns between its updates."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from resnet_zoo.cli.timing.job import OPTIMIZER, Job
from resnet_zoo.cli.timing.rounds import peak_memory, seconds_of, wait_for
from resnet_zoo.runs import read_record

OURS = "resnet-zoo fit"


class Contender(Protocol):
    """Somebody who trains on request."""

    peak_bytes: int | None
    """The most memory of the GPU in its last turn, where it has memory of its own."""

    def run(self, steps: int) -> None:
        """Train for so many steps."""


class TakingTurns(Callback):
    """Stops the clock of a training every ``steps`` updates and lets every other contender make as many.

    All are thereby measured in the same minutes of the same machine, however busy it is. A first round of each, in
    which memory and algorithms are found, is not counted.

    Args:
        others: by name.
        steps: updates of one turn.
        device: on which all train.

    Attributes:
        seconds: of an update, one per round, by contender.
        memory: most bytes on the GPU during a contender's turns; of those in this process the weights of all of them
            are part.
    """

    def __init__(self, others: Mapping[str, Contender], steps: int, device: torch.device) -> None:
        self.others, self.steps, self.device = others, steps, device
        self.seconds: dict[str, list[float]] = {name: [] for name in (OURS, *others)}
        self.memory: dict[str, int] = {}
        self._since: float | None = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """If our turn is over: note how long it took, and let the others take theirs."""
        if trainer.global_step % self.steps:
            return
        wait_for(self.device)
        warm = self._since is not None
        if self._since is not None:
            self.seconds[OURS].append((time.perf_counter() - self._since) / self.steps)
        self._note_memory(OURS, peak_memory(self.device))
        for name, other in self.others.items():
            seconds = seconds_of(lambda other=other: other.run(self.steps), self.device)  # type: ignore[misc]
            if warm:
                self.seconds[name].append(seconds / self.steps)
            here = peak_memory(self.device)
            self._note_memory(name, here if other.peak_bytes is None else other.peak_bytes)
        self._since = time.perf_counter()

    def _note_memory(self, name: str, peak: int | None) -> None:
        if peak is not None:
            self.memory[name] = max(self.memory.get(name, 0), peak)


class _Terminal(io.StringIO):
    """Takes what a training shows, as a terminal would: with the bar that users see."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def fit_words(job: Job, run_dir: Path) -> list[str]:
    """The command line of a training of the job's updates, with everything else as a user has it."""
    options: dict[str, Any] = {f"model.backbone.{name}": value for name, value in job.arguments.items()}
    options |= {f"data.{name}": value for name, value in job.data_arguments.items()}
    options |= {
        "trainer.max_epochs": 1,
        "trainer.accelerator": job.device,
        "trainer.devices": job.devices,
        "trainer.precision": job.precision,
        **{f"model.compile.{part}": job.compile for part in ("backbone", "optimizer")},
    }
    options["model.activation_checkpointing"] = job.activation_checkpointing
    options["wandb.mode"] = (
        "offline"  # a measurement is nobody's experiment: the files are written, nothing is sent
    )
    options |= {f"model.optimizer.{name}": value for name, value in OPTIMIZER.items()}
    words = ["fit", "--model.backbone", job.backbone, "--data", "Synthetic", "--run_dir", str(run_dir)]
    words += ["--model.optimizer", "torch.optim.SGD"]
    for name, value in options.items():
        words += [f"--{name}", value if isinstance(value, str) else json.dumps(value)]
    return words


def train_in_turns(turns: Callback, job: Job) -> dict[str, Any]:
    """Run our training of the job's updates, and between them the others.

    Returns:
        the training's record.

    Raises:
        SystemExit: the training ended with another exit code than 0; what it said goes to standard error.
    """
    with tempfile.TemporaryDirectory(prefix="resnet-zoo-benchmark-") as folder:
        run = Path(folder) / "run"
        train_in(run, turns, job)
        return read_record(run / "record.json")


def train_in(run_dir: Path, turns: Callback, job: Job) -> None:
    """As ``train_in_turns``, with the run in a directory that the caller removes; all ranks of a run name the same one.

    Raises:
        SystemExit: as there.
    """
    from resnet_zoo.cli.training import main

    shown = _Terminal()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        code = main(fit_words(job, run_dir), [turns])
    if code:
        print(shown.getvalue(), file=sys.stderr)
        raise SystemExit(code)
