"""Stop a training whose loss or weights are no longer numbers, before that reaches a checkpoint."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer

from resnet_zoo.metrics import Scores, TopKCounts


class TrainingDiverged(RuntimeError):
    """The loss or the weights are NaN or infinite. Nothing was saved after that happened."""


def check_scores(scores: Scores, trainer: Trainer, learning_rate: float, first_step: int) -> None:
    """Stop if the mean loss since ``first_step`` is not finite. The scores are those of all ranks, so all stop.

    Args:
        scores: what was counted since then.
        trainer: knows the present update and the checkpoint to go back to.
        learning_rate: of the present update.
        first_step: the first update whose loss is among the counted ones, counted from 1.

    Raises:
        TrainingDiverged: the loss is NaN or infinite.
    """
    if scores.evaluated and not math.isfinite(scores.loss):
        raise TrainingDiverged(
            f"training diverged: the loss is {scores.loss} between update {first_step} and {trainer.global_step} "
            f"{where_it_was(trainer, learning_rate)}. {_advice(trainer)}"
        )


def assert_finite(pl_module: LightningModule) -> None:
    """Stop if a weight, a buffer or a loss not yet looked at is not finite: to be called before saving, by all ranks.

    Waits for the device, and for the other ranks, since all of them must stop if one has to.

    Args:
        pl_module: attached to a trainer; its ``train_counts``, if it has some, are looked at but not reset.

    Raises:
        TrainingDiverged: something is NaN or infinite on any rank.
    """
    trainer = pl_module.trainer
    culprit = _first_non_finite(pl_module)
    if trainer.strategy.reduce_boolean_decision(culprit is not None, all=False):
        raise TrainingDiverged(
            f"training diverged: {culprit or 'a weight on another rank'} is not finite after update "
            f"{trainer.global_step} (epoch {trainer.current_epoch}), so no checkpoint is saved. {_advice(trainer)}"
        )


def _first_non_finite(pl_module: LightningModule) -> str | None:
    """Name of the first tensor that is not finite; all are looked at in one transfer."""
    counts = getattr(pl_module, "train_counts", None)
    if isinstance(counts, TopKCounts) and not math.isfinite(counts.loss_sum()):
        return "the training loss"
    averaged = getattr(pl_module, "averaged", None) or {}
    named = [*pl_module.named_parameters(), *pl_module.named_buffers()]
    named += [(f"the average of {name}", tensor) for name, tensor in averaged.items()]
    named = [(name, tensor) for name, tensor in named if tensor.is_floating_point()]
    if not named:
        return None
    finite = torch.stack([tensor.detach().isfinite().all() for _, tensor in named]).tolist()
    return next((name for (name, _), is_finite in zip(named, finite, strict=True) if not is_finite), None)


def where_it_was(trainer: Trainer, learning_rate: float) -> str:
    """Epoch and learning rate of the update at hand, for messages."""
    return f"(epoch {trainer.current_epoch}, learning rate {learning_rate:g})"


def _advice(trainer: Trainer) -> str:
    callback = trainer.checkpoint_callback
    last = getattr(callback, "last", None) or getattr(callback, "last_model_path", None)
    kept = (
        f"The last good checkpoint is '{last}'."
        if last and Path(last).exists()
        else "No checkpoint was saved before."
    )
    return f"{kept} Try a lower learning rate, a longer warm-up, or --trainer.gradient_clip_val 1."
