"""Which images a rank gets, in which batch, in which order.

``global_batch_size`` images make one optimizer update, whatever the number of ranks W and of accumulated
batches A. An update is a contiguous piece of the epoch's permutation, cut into W * A contiguous slots; slot
``m * W + r`` is the batch number m of that update on rank r. So the same images make up the same update in
the same order wherever a run runs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from resnet_zoo.data import random
from resnet_zoo.data.epoch_plan import EpochPlan
from resnet_zoo.data.shuffling import SHARES, samples_of_epoch
from resnet_zoo.errors import InvalidValue

MINIMUM_BATCH = 2  # batch normalisation cannot train on a single value per channel


class Order(Protocol):
    """What a loader needs to know: how many batches there are, and what is in them in a given epoch."""

    @property
    def num_batches(self) -> int:
        """Batches per epoch on this rank; the same on every rank."""

    def plan(self, epoch: int) -> EpochPlan:
        """The images of one epoch on this rank."""

    def identity(self) -> dict[str, int]:
        """What must not change if a half-finished epoch is to be continued."""


def check_global_batch_size(global_batch_size: int, world_size: int, accumulation: int) -> None:
    """Refuse a batch size that does not divide evenly over ranks and accumulated batches, naming the nearest
    that do.
    """
    if accumulation < 1:
        raise InvalidValue(f"trainer.accumulate_grad_batches={accumulation} is not allowed. Use 1 or more.")
    slots = world_size * accumulation
    if global_batch_size % slots == 0:
        return
    over = f"{world_size} ranks" if world_size > 1 else ""
    if accumulation > 1:
        over += f"{' x ' if over else ''}{accumulation} accumulated batches"
    below = global_batch_size // slots * slots
    nearest = f"{below} or {below + slots}" if below else f"{slots}"
    raise InvalidValue(
        f"global_batch_size={global_batch_size} does not divide over {over}. Use a multiple of {slots}, e.g. {nearest}."
    )


@dataclass(frozen=True)
class TrainingOrder:
    """The order of training, exact under any number of ranks and accumulated batches.

    The last, shorter update of an epoch is spread over all slots as evenly as possible. A slot that gets
    fewer than two images is filled up with repeated ones, marked as padding, so that every rank takes part in
    every step.

    Args:
        num_samples: images in the split.
        global_batch_size: images per optimizer update.
        seed: of the permutation and of the augmentation.
        rank: of this process.
        world_size: number of ranks.
        accumulation: batches per rank and optimizer update.
        drop_last: leave the shorter last update out.
        repeats: times that each image is taken within one pass over the images, which then takes so many epochs.
        images_per_share: images in a row of an update that are mixed alike.

    Raises:
        InvalidValue: the batch size does not divide over ranks and accumulated batches.
    """

    num_samples: int
    global_batch_size: int
    seed: int
    rank: int = 0
    world_size: int = 1
    accumulation: int = 1
    drop_last: bool = False
    repeats: int = 1
    images_per_share: int = 1

    def __post_init__(self) -> None:
        check_global_batch_size(self.global_batch_size, self.world_size, self.accumulation)

    @property
    def slots(self) -> int:
        """Batches that make up one update, over all ranks."""
        return self.world_size * self.accumulation

    @property
    def slot_size(self) -> int:
        """Images in a batch of a full update."""
        return self.global_batch_size // self.slots

    @property
    def num_updates(self) -> int:
        """Optimizer updates per epoch."""
        full, rest = divmod(self.num_samples, self.global_batch_size)
        return full + (rest > 0 and not self.drop_last)

    @property
    def num_batches(self) -> int:
        """Batches per epoch on every rank."""
        return self.accumulation * self.num_updates

    def identity(self) -> dict[str, int]:
        """What a half-finished epoch depends on; neither the number of ranks nor what is done to its images is part of
        it.
        """
        others = ("rank", "world_size", "images_per_share")
        return {name: int(value) for name, value in asdict(self).items() if name not in others}

    def plan(self, epoch: int) -> EpochPlan:
        """The images of one epoch on this rank."""
        images, seeds = samples_of_epoch(
            self.num_samples, self.global_batch_size, self.repeats, self.seed, epoch
        )
        full = self.num_samples // self.global_batch_size
        slots = torch.arange(full * self.global_batch_size).view(
            full, self.accumulation, self.world_size, self.slot_size
        )
        fetched = [slots[:, :, self.rank].reshape(-1)]
        counted = [torch.ones_like(fetched[0], dtype=torch.bool)]
        lengths = [self.slot_size] * (full * self.accumulation)
        update_sizes = [self.global_batch_size] * len(lengths)
        if self.num_updates > full:
            rest = torch.arange(full * self.global_batch_size, self.num_samples)
            for batch in range(self.accumulation):
                places, real = self._slot_of_rest(rest, batch)
                fetched.append(places)
                counted.append(real)
                lengths.append(len(places))
                update_sizes.append(len(rest))
        places = torch.cat(fetched)
        indices = torch.where(torch.cat(counted), images[places], -1)
        shared = self._share_seeds(places, epoch)
        return EpochPlan(images[places], indices, seeds[places], _bounds(lengths), update_sizes, shared)

    def _share_seeds(self, places: Tensor, epoch: int) -> Tensor | None:
        """A seed for every stretch of ``images_per_share`` images of an update, from their places in the epoch."""
        if self.images_per_share == 1:
            return None
        update, place = places // self.global_batch_size, places % self.global_batch_size
        return random.combine(self.seed, epoch, SHARES, update, place // self.images_per_share)

    def _slot_of_rest(self, rest: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        """Places and whether they count of this rank's slot of an accumulated batch of the last, shorter update.

        It is shared out over the accumulated batches first and over the ranks then, so that the images of a
        batch over all ranks do not depend on the number of ranks (synchronised batch norm sees the same).
        """
        counted = _share(_share(rest, batch, self.accumulation), self.rank, self.world_size)
        padding = max(0, min(MINIMUM_BATCH, self.slot_size) - len(counted))
        again = (counted if len(counted) else rest).repeat(MINIMUM_BATCH)[:padding]
        places = torch.cat([counted, again])
        return places, torch.arange(len(places)) < len(counted)


def _share(places: Tensor, number: int, shares: int) -> Tensor:
    """One of so many nearly equal, contiguous shares."""
    size, extra = divmod(len(places), shares)
    start = number * size + min(number, extra)
    return places[start : start + size + (number < extra)]


@dataclass(frozen=True)
class EvaluationOrder:
    """The order of evaluation: rank r takes images r, r + W, r + 2W, …, padded to equally many full batches
    on all ranks.

    Every image is there exactly once over all ranks; padding has index -1. Equal, full batches mean that no
    rank waits for another for ever and that every batch has the same shape.

    Args:
        num_samples: images in the split.
        batch_size: images per batch and rank.
        rank: of this process.
        world_size: number of ranks.
    """

    num_samples: int
    batch_size: int
    rank: int = 0
    world_size: int = 1

    @property
    def num_batches(self) -> int:
        """Batches on every rank."""
        return -(-self.num_samples // (self.world_size * self.batch_size))

    def identity(self) -> dict[str, int]:
        """What a half-finished pass depends on."""
        return {"num_samples": self.num_samples, "batch_size": self.batch_size}

    @cached_property
    def _plan(self) -> EpochPlan:
        own = torch.arange(self.num_samples)[self.rank :: self.world_size]  # empty if there are more ranks
        indices = torch.full((self.num_batches * self.batch_size,), -1)
        indices[: len(own)] = own
        return EpochPlan(
            indices, indices, None, _bounds([self.batch_size] * self.num_batches), [0] * self.num_batches
        )

    def plan(self, epoch: int) -> EpochPlan:
        """The images on this rank; the same in every epoch."""
        return self._plan


def _bounds(lengths: list[int]) -> list[int]:
    bounds = [0]
    for length in lengths:
        bounds.append(bounds[-1] + length)
    return bounds
