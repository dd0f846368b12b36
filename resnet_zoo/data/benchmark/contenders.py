"""What is compared: our loader here, those of others in ``peers``; all keep their workers from round to round."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from resnet_zoo.data import random
from resnet_zoo.data.base import ImageDataModule
from resnet_zoo.data.batch import ImageBatch
from resnet_zoo.data.epoch_plan import EpochPlan
from resnet_zoo.data.loaders import ImageLoader
from resnet_zoo.data.sources import ImageSource


class Contender(Protocol):
    """Something that delivers batches.

    Attributes:
        name: for the table.
        delivers: what comes out, in words.
    """

    name: str
    delivers: str

    def batches(self) -> Iterator[int]:
        """One pass over the images; the number of images of every batch."""

    def worker_processes(self) -> list[int]:
        """Process ids of its workers, while they live."""

    def close(self) -> None:
        """End the workers."""


@dataclass(frozen=True)
class Job:
    """What every contender is given to do.

    Attributes:
        data: the data set.
        split: "train" or "val", whose transform is used.
        source: of that split.
        positions: of the images, in order; an image may come several times.
        batch_size: images in a batch.
        num_workers: processes.
    """

    data: ImageDataModule
    split: str
    source: ImageSource
    positions: tuple[int, ...]
    batch_size: int
    num_workers: int

    @classmethod
    def of(cls, data: ImageDataModule, split: str, count: int, num_workers: int) -> Job:
        """A job of about ``count`` images in whole batches, chosen at random, several times each if there are fewer."""
        source = data.source(split)
        available = len(source.labels)
        batch_size = min(data.global_batch_size, count)
        chosen = np.random.default_rng(0).permutation(available)
        positions = np.resize(chosen, max(1, count // batch_size) * batch_size)
        return cls(data, split, source, tuple(positions.tolist()), batch_size, num_workers)


class Ours:
    """The loader of a data module.

    Args:
        job: what to do.
        normalise: whether to normalise too, as happens on the device in training.
    """

    name = "resnet-zoo"

    def __init__(self, job: Job, normalise: bool) -> None:
        self.delivers = "float32, normalised" if normalise else "uint8"
        self._loader = ImageLoader(job.source, _Chosen(job), num_workers=job.num_workers)
        self._prepare: Callable[[ImageBatch], Any] = job.data.prepare if normalise else lambda batch: batch
        self._epoch = 0

    def batches(self) -> Iterator[int]:
        """One epoch."""
        self._epoch += 1
        self._loader.set_epoch(self._epoch)
        for batch in self._loader:
            self._prepare(batch)
            yield len(batch.indices)

    def worker_processes(self) -> list[int]:
        """Those of the pool."""
        return pids_of(self._loader._iterator)

    def close(self) -> None:
        """End the pool."""
        self._loader.close()


def pids_of(iterator: Any) -> list[int]:
    """Process ids of the workers of one of torch's loaders."""
    return [worker.pid for worker in getattr(iterator, "_workers", ())]


class _Chosen:
    """The order of a job; in training every epoch has other crops."""

    def __init__(self, job: Job) -> None:
        self._positions = torch.tensor(job.positions)
        self._training = job.split == "train"
        self._batch_size = job.batch_size

    @property
    def num_batches(self) -> int:
        """Whole ones."""
        return len(self._positions) // self._batch_size

    def plan(self, epoch: int) -> EpochPlan:
        """The same images in every epoch."""
        count = len(self._positions)
        seeds = random.combine(epoch, torch.arange(count)) if self._training else None
        bounds = list(range(0, count + 1, self._batch_size))
        sizes = [self._batch_size if self._training else 0] * self.num_batches
        return EpochPlan(self._positions, self._positions, seeds, bounds, sizes)

    def identity(self) -> dict[str, int]:
        """Nothing is ever continued."""
        return {}
