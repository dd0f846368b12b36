"""What the loaders need to know of the trainer: which rank of how many, on which device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import GradientAccumulationScheduler

from resnet_zoo.cores import available_cores
from resnet_zoo.data.sources import ImageSource, ResidentImages
from resnet_zoo.errors import InvalidValue

CPU = torch.device("cpu")
MAXIMUM_AUTOMATIC_WORKERS = 16
RESIDENT_SHARE = 0.25  # of a GPU's memory at most, for images kept there


@dataclass(frozen=True)
class Surroundings:
    """Where a data set is used; the defaults are one process on the CPU without a trainer.

    Args:
        rank: of this process.
        world_size: number of ranks.
        local_ranks: ranks on this machine.
        accumulation: batches per rank and optimizer update.
        device: that the model is on.
        overfitting: whether every epoch is to show the same batches (``overfit_batches``).
        limit_train_batches: batches of an epoch at most, or a share of them.
    """

    rank: int = 0
    world_size: int = 1
    local_ranks: int = 1
    accumulation: int = 1
    device: torch.device = CPU
    overfitting: bool = False
    limit_train_batches: int | float = 1.0

    @classmethod
    def of(cls, trainer: Trainer | None) -> Surroundings:
        """What a trainer says.

        Raises:
            InvalidValue: the trainer changes the number of accumulated batches during training.
        """
        if trainer is None:
            return cls()
        callbacks: list[object] = getattr(trainer, "callbacks", [])
        if any(isinstance(callback, GradientAccumulationScheduler) for callback in callbacks):
            raise InvalidValue(
                "GradientAccumulationScheduler changes the number of accumulated batches during training, while "
                "global_batch_size fixes the images per update. Use trainer.accumulate_grad_batches."
            )
        limit = trainer.limit_train_batches
        return cls(
            rank=trainer.global_rank,
            world_size=trainer.world_size,
            local_ranks=trainer.num_devices,
            accumulation=trainer.accumulate_grad_batches,
            device=trainer.strategy.root_device,
            overfitting=getattr(trainer, "overfit_batches", 0) > 0,
            limit_train_batches=1.0 if limit is None else limit,
        )

    @property
    def cores(self) -> int:
        """A rank's share of the cores."""
        return available_cores() // self.local_ranks

    @property
    def automatic_workers(self) -> int:
        """Loader processes for image files if nobody says how many: a rank's share of the cores."""
        return max(1, min(MAXIMUM_AUTOMATIC_WORKERS, self.cores))

    def workers_for(self, source: ImageSource) -> int:
        """Loader processes for a source if nobody says how many; images held in memory need none."""
        return 0 if isinstance(source, ResidentImages) else self.automatic_workers

    def limited(self, num_batches: int) -> int:
        """How many batches of an epoch the trainer takes."""
        if isinstance(self.limit_train_batches, int):
            return min(num_batches, self.limit_train_batches)
        return int(num_batches * self.limit_train_batches)

    def place(self, source: ResidentImages, num_workers: int) -> ResidentImages:
        """Keep images on the device if they fit and no worker has to reach them, else on the CPU."""
        if num_workers or self.device.type != "cuda":
            return source.to(CPU)
        memory: int = torch.cuda.get_device_properties(self.device).total_memory
        return source.to(self.device if source.nbytes <= RESIDENT_SHARE * memory else CPU)
