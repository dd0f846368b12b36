"""Memory that workers and the main process share, for batches of images that are not copied on their way.

A worker writes a batch where the main process will read it. Who owns a slot is never in doubt: a slot is given to a
worker with a request; when the batch arrives it belongs to the tensor that is handed out, and it is free again when
nothing refers to that memory any more, be it the tensor, a view of it or an array. Whoever keeps batches keeps their
slots; there are then none left for the workers, and batches travel as torch sends them, copied.

The memory is an anonymous file, which unlike ``/dev/shm`` is not limited to the 64 MB that containers usually get.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import weakref
from collections.abc import Iterator
from contextvars import ContextVar
from multiprocessing.reduction import DupFd
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

BATCHES_IN_ADVANCE = 2  # per worker, as torch's DataLoader does it
BATCHES_IN_USE = 4


class Slot(NamedTuple):
    """A place in the shared memory.

    Attributes:
        number: of the slot.
        offset: where it begins, in bytes.
        capacity: in bytes.
    """

    number: int
    offset: int
    capacity: int


class InSlot(NamedTuple):
    """What a worker sends instead of a batch that it wrote to a slot.

    Attributes:
        number: of the slot.
        shape: of the batch: images, height, width, channels.
    """

    number: int
    shape: tuple[int, ...]


class SharedMemory:
    """An anonymous file that processes map; it reaches other processes whichever way they are started."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._maps: dict[int, mmap.mmap] = {}

    def tensor(self, slot: Slot) -> Tensor:
        """The memory of a slot, uint8 (capacity,)."""
        return torch.frombuffer(self.map(slot), dtype=torch.uint8)

    def map(self, slot: Slot) -> mmap.mmap:
        """The memory of a slot in this process."""
        if slot.offset not in self._maps:
            self._maps[slot.offset] = mmap.mmap(self.descriptor, slot.capacity, offset=slot.offset)
        return self._maps[slot.offset]

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (DupFd(self.descriptor),)


def _received(descriptor: Any) -> SharedMemory:
    return SharedMemory(descriptor.detach())


_offered: ContextVar[Tensor | None] = ContextVar("offered", default=None)


@contextlib.contextmanager
def offering(memory: Tensor) -> Iterator[None]:
    """Let sources put their batch into this memory, uint8 (n,), if they ask for some with ``empty_batch``."""
    token = _offered.set(memory)
    try:
        yield
    finally:
        _offered.reset(token)


def empty_batch(images: int, size: int) -> Tensor:
    """Memory for a batch, uint8 (images, size, size, 3): what is offered if it is large enough, else new."""
    memory, count = _offered.get(), images * size * size * 3
    if memory is None or len(memory) < count:
        return torch.empty(images, size, size, 3, dtype=torch.uint8)
    return memory[:count].view(images, size, size, 3)


class Slots:
    """The slots of a pool of workers, as the main process sees them.

    Args:
        count: how many there may be in use at a time. They get their size with the first batch.

    Raises:
        OSError, AttributeError: the system has no anonymous files.
    """

    def __init__(self, count: int) -> None:
        self.memory = SharedMemory(os.memfd_create("resnet-zoo batches"))
        weakref.finalize(self, os.close, self.memory.descriptor)
        self._count = count
        self._slots: list[Slot] = []
        self._free: list[int] = []
        self._end = 0

    @property
    def num_free(self) -> int:
        """How many could be given out now."""
        return len(self._free)

    def take(self) -> Slot | None:
        """A free slot, or None."""
        try:
            return self._slots[
                self._free.pop()
            ]  # the last one used: no more memory is touched than has to be
        except IndexError:
            return None

    def give_back(self, number: int) -> None:
        """A slot that was taken is not needed."""
        if self._slots[number].capacity == self._slots[-1].capacity:  # not one of those that were too small
            self._free.append(number)

    def grow(self, size: int) -> None:
        """Replace the slots by larger ones if a batch of this many bytes would not fit."""
        if self._slots and size <= self._slots[-1].capacity:
            return
        capacity = -(-size // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        first = len(self._slots)
        self._slots += [Slot(first + k, self._end + k * capacity, capacity) for k in range(self._count)]
        self._end += self._count * capacity
        os.ftruncate(self.memory.descriptor, self._end)
        self._free = list(range(first, len(self._slots)))

    def open(self, sent: InSlot) -> Tensor:
        """The batch in a slot, uint8 (b, c, h, w), channels-last; the slot is free when the memory is not used."""
        slot = self._slots[sent.number]
        pixels = np.ndarray(sent.shape, dtype=np.uint8, buffer=self.memory.map(slot))
        # torch holds this very array as long as a tensor uses its memory
        weakref.finalize(pixels, self.give_back, sent.number).atexit = False
        return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def slots_for(num_workers: int) -> Slots | None:
    """Slots for a pool: for the batches that are asked for in advance and a few in the hands of the training.

    None where the system has no anonymous files; batches are then copied.
    """
    try:
        return Slots(BATCHES_IN_ADVANCE * num_workers + BATCHES_IN_USE)
    except (OSError, AttributeError):
        return None
