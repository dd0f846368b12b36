"""A rank's training in turns, with and without what ranks exchange in a step."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch.nn.parallel import DistributedDataParallel

from resnet_zoo.cli.timing.rounds import wait_for

NextTurn = Callable[[], bool]
"""Returns when the next turn may begin; whether ranks exchange gradients in it."""


class PacedTraining(Callback):
    """Pauses a training every ``steps`` updates, and lets turns without synchronisation take place.

    Without it DistributedDataParallel exchanges neither gradients nor buffers (``no_sync``), so that the ranks' weights
    part: the training is for its time alone.

    Args:
        steps: updates of a turn.
        next_turn: asked before every turn.
        done: told the seconds of an update after every turn.
    """

    def __init__(self, steps: int, next_turn: NextTurn, done: Callable[[float], None]) -> None:
        self.steps, self.next_turn, self.done = steps, next_turn, done
        self._alone = ExitStack()
        self._since = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Wait for the first turn."""
        self._begin(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """At the end of a turn say how long it took, and wait for the next if there is one."""
        if trainer.global_step % self.steps:
            return
        wait_for(trainer.strategy.root_device)
        seconds = (time.perf_counter() - self._since) / self.steps
        self._alone.close()
        self.done(seconds)
        if batch_idx + 1 < trainer.num_training_batches:
            self._begin(trainer)

    def _begin(self, trainer: Trainer) -> None:
        synchronised = self.next_turn()
        wrapped = trainer.strategy.model
        if not synchronised and isinstance(wrapped, DistributedDataParallel):
            self._alone.enter_context(wrapped.no_sync())
        self._since = time.perf_counter()
