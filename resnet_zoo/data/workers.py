"""The worker processes of a loader: asked for batches in order, kept over epochs, and missed when they die."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Iterator
from types import FrameType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from resnet_zoo.data.decode import UnreadableImage
from resnet_zoo.data.epoch_plan import EpochPlan
from resnet_zoo.data.slots import (
    BATCHES_IN_ADVANCE,
    InSlot,
    SharedMemory,
    Slot,
    Slots,
    offering,
    slots_for,
)
from resnet_zoo.data.sources import ImageSource, at_size
from resnet_zoo.data.unreadable import Fetched, fetch_readable
from resnet_zoo.errors import UserMistake

POLL_SECONDS = 5.0  # how long a dead worker may go unnoticed
Request = tuple[NDArray[np.int64], NDArray[np.int64] | None, int | None, Slot | None]
Sent = tuple[Tensor | InSlot, list[tuple[int, UnreadableImage]]]


GRACE_SECONDS = 20
"""How long a worker lives on after SIGTERM."""


class WorkerFailure(UserMistake, RuntimeError):
    """A worker process of a loader died or stopped answering."""


class WorkerPool:
    """Processes that fetch batches of images from a source.

    Args:
        source: of the pixels.
        num_workers: number of processes, at least one.
        timeout: seconds without a batch after which the workers are given up.
        skip_unreadable: whether an image that cannot be read leaves a blank row; otherwise it ends the epoch.
    """

    def __init__(
        self,
        source: ImageSource,
        num_workers: int,
        timeout: float,
        skip_unreadable: bool = False,
    ) -> None:
        self.num_workers = num_workers
        self.timeout = timeout
        self._slots = slots_for(num_workers)
        self._requests = _Requests(self._slots)
        memory = None if self._slots is None else self._slots.memory
        self._loader: DataLoader[Sent | UserMistake] = DataLoader(
            _Fetcher(source, skip_unreadable, memory),
            sampler=self._requests,
            batch_size=None,
            collate_fn=_unchanged,
            num_workers=num_workers,
            prefetch_factor=BATCHES_IN_ADVANCE,
            timeout=min(timeout, POLL_SECONDS),
            persistent_workers=True,
            worker_init_fn=_outlive_signals,
            generator=torch.Generator(),  # its own, or every epoch would advance the global one
        )

    def fetch(self, plan: EpochPlan, start: int, size: int | None = None) -> Iterator[Fetched]:
        """Images, and what could not be read, of the batches of an epoch, from batch ``start`` on.

        Args:
            plan: of the epoch.
            start: number of the first batch.
            size: of the images in this epoch, in pixels, where they are cropped; None as the source has it.

        Raises:
            WorkerFailure: a worker died or did not answer in time.
            UserMistake: what the source raised, as it raised it.
        """
        self._requests.plan, self._requests.start, self._requests.size = plan, start, size
        batches = self._begin()
        asked = time.monotonic()
        while True:
            try:
                fetched = next(batches)
            except StopIteration:
                return
            except (RuntimeError, OSError, EOFError) as error:
                if self._is_slow(error) and time.monotonic() - asked < self.timeout:
                    continue
                failure = self._explain(error)
                self.close()  # a pool that lost a worker is of no more use
                if failure is None:
                    raise
                raise failure from error
            slot = self._requests.given.popleft()
            if isinstance(fetched, UserMistake):
                self._free(slot)
                self.close()  # it ends the run, which the processes must not outlive
                raise fetched
            yield self._received(fetched, slot)
            del fetched  # nothing here holds on to a batch that the training has done with
            asked = time.monotonic()

    def _begin(self) -> Iterator[Sent | UserMistake]:
        """Start an epoch; batches that were asked for in an epoch left half-way are thrown away by torch."""
        left, self._requests.given = self._requests.given, deque()
        batches = iter(self._loader)
        for slot in left:
            self._free(slot)
        return batches

    def _received(self, sent: Sent, slot: Slot | None) -> Fetched:
        images, failures = sent
        if isinstance(images, InSlot):
            assert self._slots is not None
            images = self._slots.open(images)
        else:
            self._free(slot)
            if self._slots is not None:
                self._slots.grow(images.nbytes)
        return images, failures

    def _free(self, slot: Slot | None) -> None:
        if slot is not None and self._slots is not None:
            self._slots.give_back(slot.number)

    def _is_slow(self, error: Exception) -> bool:
        """Nothing came within a poll, and no worker is dead: torch looks for dead ones before it says so.

        It would also be told by a signal, but Lightning puts torch's handler away at the end of every run.
        """
        return isinstance(error, RuntimeError) and str(error).startswith("DataLoader timed out")

    def _explain(self, error: Exception) -> WorkerFailure | None:
        text = str(error).strip()
        if self._is_slow(error):
            return WorkerFailure(
                f"no batch arrived from the {self.num_workers} data workers within {self.timeout:g} s: the storage "
                "hangs, or reading a batch takes longer than that."
            )
        if isinstance(error, RuntimeError) and not text.startswith("DataLoader worker"):
            return None
        return WorkerFailure(
            f"a data worker died: probably out of memory or /dev/shm ({text or type(error).__name__}). "
            f"Use fewer workers than num_workers={self.num_workers}, or a smaller batch; a container may need a "
            "larger --shm-size."
        )

    @property
    def iterator(self) -> Any:
        """Torch's iterator, which owns the processes; None before the first batch."""
        return self._loader._iterator

    def close(self) -> None:
        """End the processes.

        Not left to the garbage collector, which takes their queues away first and then waits for them in vain.
        """
        if self.iterator is not None:
            self.iterator._shutdown_workers()
            self._loader._iterator = None


class _Requests:
    """What the workers are asked for, one batch after the other. They outlive an epoch, so its plan is set
    from outside.
    """

    plan: EpochPlan
    start: int
    size: int | None

    def __init__(self, slots: Slots | None) -> None:
        self._slots = slots
        self.given: deque[Slot | None] = deque()

    def __iter__(self) -> Iterator[Request]:
        for batch in range(self.start, len(self.plan.update_sizes)):
            positions, seeds = self.plan.request(batch)
            slot = None if self._slots is None else self._slots.take()
            self.given.append(slot)
            # arrays, since tensors would travel as file descriptors
            yield positions.numpy(), None if seeds is None else seeds.numpy(), self.size, slot


class _Fetcher(Dataset[Sent | UserMistake]):
    """Runs in the workers. A user's mistake travels back as a value, or torch would wrap it in a traceback."""

    def __init__(self, source: ImageSource, skip_unreadable: bool, memory: SharedMemory | None) -> None:
        self._source = source
        self._skip_unreadable = skip_unreadable
        self._memory = memory

    def __getitem__(self, index: Request) -> Sent | UserMistake:
        positions, seeds = (None if array is None else torch.from_numpy(array) for array in index[:2])
        assert positions is not None
        source, slot = at_size(self._source, index[2]), index[3]
        try:
            if slot is None or self._memory is None:
                return self._fetch(source, positions, seeds)
            memory = self._memory.tensor(slot)
            with offering(memory):
                images, failures = self._fetch(source, positions, seeds)
        except UserMistake as mistake:
            return mistake
        if images.data_ptr() != memory.data_ptr():
            return images, failures
        return InSlot(slot.number, tuple(images.permute(0, 2, 3, 1).shape)), failures

    def _fetch(self, source: ImageSource, positions: Tensor, seeds: Tensor | None) -> Fetched:
        if self._skip_unreadable:
            return fetch_readable(source, positions, seeds)
        return source.fetch(positions, seeds), []


def _outlive_signals(worker: int) -> None:
    """Let a worker live on when a scheduler signals every process of a job, until the training has saved.

    Ctrl-C in a terminal and SLURM's signals reach the workers too; a worker that died of it would take the training
    down in the middle of an update.
    """
    for number in (signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave_soon)


def _leave_soon(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(GRACE_SECONDS)


def _unchanged(fetched: Any) -> Any:
    return fetched
