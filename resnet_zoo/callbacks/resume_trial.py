"""What a trial of resuming needs: a record of which images made up which update, and a death at a chosen moment."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint


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
    """

    def __init__(self, step: int, during: Literal["training", "validation"] = "training") -> None:
        self.step = step
        self.during = during

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Die after the update."""
        if self.during == "training" and trainer.global_step >= self.step:
            _die(trainer)

    def on_validation_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Die after the first batch of the validation."""
        if self.during == "validation" and trainer.global_step >= self.step:
            _die(trainer)


def _die(trainer: Trainer) -> None:
    if trainer.global_rank:  # rank 0 must get here before it misses anybody, or it would end by an error
        time.sleep(1.0)
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
