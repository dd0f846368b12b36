"""Lightning as it comes, on the same net, images and settings as ours: what a framework costs as it is."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor
from torch.nn.functional import cross_entropy
from torchmetrics.classification import MulticlassAccuracy

from resnet_zoo.callbacks import quieten_lightning
from resnet_zoo.cli.allocator import keep_memory
from resnet_zoo.cli.timing.job import OPTIMIZER, Job
from resnet_zoo.cli.timing.loops import PreparedBatches

NOTE = "Lightning's Trainer with its defaults and two logged values, channels-last"


class StockModule(LightningModule):
    """A module as Lightning's documentation has it: the loss and the accuracy are logged and shown on the bar.

    Args:
        job: what it trains.
    """

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.net = job.model().to(memory_format=torch.channels_last)
        self.accuracy = MulticlassAccuracy(job.num_classes, average="micro")

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss of a batch: images (b, 3, h, w) and labels (b,)."""
        images, labels = batch
        logits = self.net(images)
        loss = cross_entropy(logits, labels)
        self.accuracy(logits, labels)
        self.log("train_loss", loss, prog_bar=True)
        self.log("train_accuracy", self.accuracy, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The optimizer that all contenders have."""
        return torch.optim.SGD(self.parameters(), **OPTIMIZER)


class NobodyAsks(Exception):
    """There are no more turns."""


class WhenAsked(Callback):
    """Lets a training make as many steps as it is asked for, then wait until it is asked again.

    Args:
        turns: how many steps to make, each time; going on to the next says that they are made.
    """

    def __init__(self, turns: Iterator[int]) -> None:
        self.turns = turns
        self.left = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Wait for the first turn."""
        self._wait()

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        """One step less."""
        self.left -= 1
        if not self.left:
            self._wait()

    def _wait(self) -> None:
        self.left = next(self.turns, 0)
        if not self.left:
            raise NobodyAsks


def train_with_stock_lightning(job: Job, turns: Iterator[int]) -> None:
    """Train as many steps as each turn has.

    The Trainer has what it has by default where nothing else is installed: a progress bar that is drawn anew in every
    step, a CSV logger, a checkpoint at an epoch's end, a summary. Memory is kept as in our own training, so that what
    differs is the framework.
    """
    quieten_lightning()
    if job.device == "cpu":
        keep_memory()
    shown = io.StringIO()
    with (
        tempfile.TemporaryDirectory(prefix="resnet-zoo-benchmark-") as folder,
        warnings.catch_warnings(),
        contextlib.redirect_stdout(shown),
        contextlib.redirect_stderr(shown),
        contextlib.suppress(NobodyAsks),
    ):
        warnings.simplefilter("ignore")
        trainer = Trainer(
            max_epochs=-1,
            accelerator=job.device,
            devices=1,
            precision=job.precision,  # type: ignore[arg-type]
            default_root_dir=folder,
            logger=CSVLogger(folder),
            callbacks=[TQDMProgressBar(), ModelCheckpoint(), WhenAsked(turns)],
            use_distributed_sampler=False,
        )
        trainer.fit(StockModule(job), PreparedBatches(job))
