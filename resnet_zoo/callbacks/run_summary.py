"""What is about to be trained, in three lines instead of a table."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer


class RunSummary(Callback):
    """Says at the start of a training what it is made of, on standard error and from rank 0 alone.

    For example::

        resnet20_cifar: 269,722 parameters, 10 classes; cpu, 32-true
        global batch 128 = 64 images x 2 ranks x 1 accumulated; 391 updates an epoch, 164 epochs
        learning rate 0.1 as configured, for global batch 128

    Args:
        notes: more lines, of what was chosen for this machine; those are shown that are there when it starts.
    """

    def __init__(self, notes: Sequence[str] = ()) -> None:
        self.notes = notes

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the lines, and what the loggers have to say about themselves."""
        if not trainer.is_global_zero:
            return
        lines = [_model_line(trainer, pl_module), _batch_line(trainer), *self.notes]
        lines += [getattr(logger, "notice", "") for logger in trainer.loggers]
        for line in filter(None, lines):
            print(line, file=sys.stderr, flush=True)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print how the learning rate came about, and what is unusual about its schedule and the data's."""
        if not trainer.is_global_zero:
            return
        notes = getattr(pl_module, "learning_rate_notes", None)
        remarks = getattr(getattr(trainer, "datamodule", None), "remarks", None)
        num_epochs = _num_epochs(trainer)
        lines = [] if notes is None else notes()
        for line in [*lines, *(remarks(num_epochs) if remarks and num_epochs else [])]:
            print(line, file=sys.stderr, flush=True)


def _num_epochs(trainer: Trainer) -> int | None:
    """Epochs of the whole training, the last one begun by ``max_steps`` included; None if it has no end."""
    updates = trainer.estimated_stepping_batches
    if not math.isfinite(updates) or not math.isfinite(trainer.num_training_batches):
        return None
    per_epoch = max(1, math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches))
    return math.ceil(updates / per_epoch)


def _model_line(trainer: Trainer, pl_module: LightningModule) -> str:
    backbone = getattr(pl_module, "backbone", pl_module)
    built_by: dict[str, Any] = getattr(backbone, "built_by", None) or {}
    name = built_by.get("name", type(backbone).__name__)
    count = sum(parameter.numel() for parameter in pl_module.parameters())
    trained = sum(parameter.numel() for parameter in pl_module.parameters() if parameter.requires_grad)
    frozen = "" if trained == count else f" ({trained:,} of them trained)"
    classes = getattr(pl_module, "num_classes", None)
    with_classes = f", {classes} classes" if classes is not None else ""
    return f"{name}: {count:,} parameters{frozen}{with_classes}; {trainer.strategy.root_device}, {trainer.precision}"


def _batch_line(trainer: Trainer) -> str:
    """The product behind the global batch; empty for a data module that does not know its own."""
    data: Any = getattr(trainer, "datamodule", None)
    global_batch = getattr(data, "global_batch_size", None)
    if global_batch is None:
        return ""
    ranks, accumulated = trainer.world_size, trainer.accumulate_grad_batches
    images = global_batch // (ranks * accumulated)
    line = f"global batch {global_batch} = {images} images x {ranks} ranks x {accumulated} accumulated"
    if hasattr(data, "num_updates_per_epoch"):
        line += f"; {data.num_updates_per_epoch():,} updates an epoch"
    if trainer.max_epochs is not None and trainer.max_epochs > 0:
        line += f", {trainer.max_epochs} epochs"
    return line
