"""What a trial of resuming needs: a record of which images made up which update, and a death at a chosen moment."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

ARRIVAL_SECONDS = 100.0
"""How long a rank that is to die waits for the others to come as far."""


class SampleOrder(Callback):
    """Writes the images of every batch, in their order, into a file per rank. It waits for the device at every batch.

    A line is the number of updates made before, the epoch, the batch within the update, and the images' indices; -1 is
    padding. A resumed run appends, so that an update that was made again has two lines.

    Args:
        folder: where ``samples-0.txt`` and so on go; it must exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Write one line; a process that is killed leaves all lines before."""
        numbers = [trainer.global_step, trainer.current_epoch, batch_idx % trainer.accumulate_grad_batches]
        numbers += batch.indices.tolist()
        with (self.folder / f"samples-{trainer.global_rank}.txt").open("a", encoding="utf-8") as file:
            file.write(" ".join(map(str, numbers)) + "\n")


class KillAt(Checkpoint):
    """Ends the process by SIGKILL, which nothing can catch, on every rank at the same moment.

    It is a ``Checkpoint`` so that Lightning calls it after every other callback.

    Args:
        step: the number of updates after which it happens.
        during: whether to die right after that update, or in the first validation from there on.
        meeting: a folder in which several ranks tell each other that they have come so far; nobody may have died there
            before. A single rank needs none.
    """

    def __init__(
        self,
        step: int,
        during: Literal["training", "validation"] = "training",
        meeting: Path | None = None,
    ) -> None:
        self.step = step
        self.during = during
        self.meeting = meeting

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Die after the update."""
        if self.during == "training" and trainer.global_step >= self.step:
            self._die(trainer)

    def on_validation_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Die after the first batch of the validation."""
        if self.during == "validation" and trainer.global_step >= self.step:
            self._die(trainer)

    def _die(self, trainer: Trainer) -> None:
        if trainer.world_size > 1:
            assert self.meeting is not None, "several ranks need a folder to meet in"
            _die_together(self.meeting, trainer.global_rank, trainer.world_size)
        os.kill(os.getpid(), signal.SIGKILL)


def _die_together(folder: Path, rank: int, world_size: int) -> None:
    """Die when every rank has come so far, rank 0 before the others.

    A rank that still waits for something of another's would end by an error and not by the signal, and so would the
    first of Lightning's ranks if it saw one of its children dead.

    Raises:
        RuntimeError: not all came in time.
    """
    with (folder / "rank-0-lives").open("a") as file:
        if rank == 0:
            fcntl.flock(file, fcntl.LOCK_EX)  # the system lets go of it when the process is gone
        (folder / f"arrived-{rank}").touch()
        until = time.monotonic() + ARRIVAL_SECONDS
        while missing := [other for other in range(world_size) if not (folder / f"arrived-{other}").exists()]:
            if time.monotonic() > until:
                raise RuntimeError(
                    f"ranks {missing} did not come to where all are killed within {ARRIVAL_SECONDS:g} s."
                )
            time.sleep(0.01)
        if rank:
            fcntl.flock(file, fcntl.LOCK_EX)
        os.kill(os.getpid(), signal.SIGKILL)


class EndAfterEpoch(Callback):
    """Ends a training early, between two epochs, with everything that its end brings.

    The config stays as it is, and with it a schedule that counts on all epochs.

    Args:
        epochs: how many are trained.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell the trainer to stop."""
        if trainer.current_epoch + 1 >= self.epochs:
            trainer.should_stop = True
