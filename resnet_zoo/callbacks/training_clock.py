"""How long a training took and how many images it saw."""

from __future__ import annotations

import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer


class TrainingClock(Callback):
    """Seconds from the first to the last update of this process, validation and checkpoints included.

    Attributes:
        seconds: wall-clock seconds of training.
        images: images trained on in them, over all ranks.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.images = 0
        self._start = 0.0

    @property
    def images_per_second(self) -> float:
        """Over all ranks; 0 before anything was trained."""
        return self.images / self.seconds if self.seconds else 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count an update's images once, at its last micro-batch."""
        if (batch_idx + 1) % trainer.accumulate_grad_batches == 0:
            self.images += batch.update_size

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock."""
        self.seconds = time.perf_counter() - self._start
