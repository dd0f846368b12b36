"""Leave out updates whose loss or gradients are no numbers, up to a limit, on all ranks alike."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, cast

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer

from resnet_zoo.callbacks.metrics_writer import CountedTraining
from resnet_zoo.callbacks.non_finite import TrainingDiverged, where_it_was
from resnet_zoo.errors import InvalidValue


@dataclass
class NonFiniteSettings:
    """What happens to an update whose loss or gradients are NaN or infinite.

    Args:
        skip: how many of them a run may leave out, each with a line in the log; the next one stops it. With 0 the
            first one does, at the next row of metrics or checkpoint. Any other number makes every update wait for the
            device, and for the other ranks, to look at its gradients.
    """

    skip: int = 0

    def __post_init__(self) -> None:
        if self.skip < 0:
            raise InvalidValue(f"non_finite.skip={self.skip} must not be less than 0.")


class SkipNonFinite(Callback):
    """Undoes such an update: weights, optimizer, buffers (running statistics) and counts are as they were before it.

    The update still counts as one, so that the schedule and the end of training stay where they are.

    Args:
        limit: how many may be left out over the whole run, resumed parts included.

    Attributes:
        skipped: how many were.
        left_out: whether the update at hand was.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.skipped = 0
        self.left_out = False
        self._buffers: dict[str, Tensor] = {}
        self._counts: Any = None

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Keep what the forward passes of an update change."""
        if batch_idx % trainer.accumulate_grad_batches == 0:
            self.left_out = False
            self._buffers = {name: buffer.clone() for name, buffer in pl_module.named_buffers()}
            self._counts = cast(CountedTraining, pl_module).train_counts.copy()

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Look at the gradients, which are the mean over all ranks here, and at each rank's losses.

        Raises:
            TrainingDiverged: on all ranks, if the limit is reached.
        """
        finite = self._is_finite(trainer, pl_module, optimizer)
        if not trainer.strategy.reduce_boolean_decision(not finite, all=False):
            return
        self.skipped, self.left_out = self.skipped + 1, True
        where = where_it_was(trainer, cast(CountedTraining, pl_module).learning_rate())
        if self.skipped > self.limit:
            raise TrainingDiverged(
                f"training diverged: the loss or the gradients of update {trainer.global_step + 1} {where} are not "
                f"finite, and non_finite.skip={self.limit} such updates were left out before."
            )
        optimizer.zero_grad(set_to_none=True)  # an optimizer leaves parameters without gradients as they are
        with torch.no_grad():
            for name, buffer in pl_module.named_buffers():
                buffer.copy_(self._buffers[name])
        cast(CountedTraining, pl_module).train_counts.take_over(self._counts)
        if trainer.is_global_zero:
            print(
                f"update {trainer.global_step + 1} {where} left out: its loss or gradients are not finite "
                f"({self.skipped} of at most {self.limit}).",
                file=sys.stderr,
                flush=True,
            )

    def _is_finite(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> bool:
        if not math.isfinite(cast(CountedTraining, pl_module).train_counts.loss_sum()):
            return False
        if getattr(trainer.precision_plugin, "scaler", None) is not None:
            return True  # float16's scaler looks at them itself, and infinite ones are part of how it works
        gradients = [
            p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None
        ]
        norms = torch._foreach_norm(gradients)
        return bool(torch.stack([norm.float() for norm in norms]).isfinite().all()) if norms else True

    def state_dict(self) -> dict[str, Any]:
        """A resumed run must not begin to count again."""
        return {"skipped": self.skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting."""
        self.skipped = state_dict["skipped"]
