"""Random numbers of a training step that depend on nothing but the step."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class StepSeeds(Callback):
    """Seeds torch's generators before every batch from the run's seed, the update, the batch within it and the rank.

    Dropout, and whatever else a net draws from torch, is thereby the same in a run that was stopped and resumed as in
    one that was not, and no state of a generator has to be saved. ``torch.manual_seed`` would do as well, but takes a
    hundred times as long.

    Args:
        seed: of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._generators: list[torch.Generator] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the CPU's generator, and the one of the GPU in use."""
        self._generators = [torch.default_generator]
        if pl_module.device.type == "cuda":
            self._generators.append(torch.cuda.default_generators[pl_module.device.index or 0])

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed them."""
        batch_of_update = batch_idx % trainer.accumulate_grad_batches
        seed = step_seed(self.seed, trainer.global_step, batch_of_update, trainer.global_rank)
        for generator in self._generators:
            generator.manual_seed(seed)


def step_seed(seed: int, update: int, batch: int, rank: int) -> int:
    """A seed of 63 bits; other arguments give another seed."""
    text = f"{seed}/{update}/{batch}/{rank}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1
