"""The loader behind every split: an order, a source of pixels, and worker processes if asked for.

It can be stopped and continued at any batch (``state_dict``, ``load_state_dict``), gives the same batches
with any number of workers, and keeps its workers from one epoch to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from resnet_zoo.data.batch import ImageBatch
from resnet_zoo.data.order import EpochPlan, Order
from resnet_zoo.data.sources import ImageSource
from resnet_zoo.errors import InvalidValue, UserMistake


class WorkerFailure(UserMistake, RuntimeError):
    """A worker process of a loader died or stopped answering."""


class ImageLoader:
    """Batches of one split on one rank, one epoch per iteration.

    Args:
        source: of the pixels.
        order: of the images.
        num_workers: processes that fetch batches; 0 fetches in this process, on the device the source is on.
        pin_memory: copy batches to page-locked memory, for faster transfer to a GPU (only with workers).
        timeout: seconds without a batch from the workers after which they are given up.
        reshuffle: whether ``set_epoch`` has an effect.
    """

    def __init__(
        self,
        source: ImageSource,
        order: Order,
        *,
        num_workers: int = 0,
        pin_memory: bool = False,
        timeout: float = 600,
        reshuffle: bool = True,
    ) -> None:
        self.source = source
        self.order = order
        self.num_workers = num_workers
        self.timeout = timeout
        self._pin_memory = pin_memory
        self._reshuffle = reshuffle
        self._epoch = 0
        self._consumed = 0
        self._continue_at: tuple[int, int] | None = None
        self._requests = _Requests()
        self._workers: DataLoader[Tensor | UserMistake] | None = None

    def __len__(self) -> int:
        """Batches per epoch; the same on every rank and for a continued epoch."""
        return self.order.num_batches

    batch_sampler = None  # Lightning looks for it before it looks at ``sampler``

    @property
    def sampler(self) -> ImageLoader:
        """Lightning announces epochs to ``loader.sampler.set_epoch``."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration goes through."""
        if self._reshuffle:
            self._epoch = epoch

    def state_dict(self) -> dict[str, Any]:
        """Where the loader is: the epoch, the number of batches handed out, and what the order depends on."""
        return {"epoch": self._epoch, "consumed": self._consumed, "order": self.order.identity()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the next iteration continue there, if it is still in that epoch.

        Raises:
            InvalidValue: the state is in the middle of an epoch whose order is not this loader's.
        """
        saved, now = state["order"], self.order.identity()
        if saved != now and 0 < state["consumed"] < len(self):
            differences = [
                f"{key}: {saved.get(key)} then, {now.get(key)} now"
                for key in now
                if saved.get(key) != now[key]
            ]
            raise InvalidValue(
                f"cannot continue in the middle of epoch {state['epoch']}: its order depends on what has changed "
                f"since ({'; '.join(differences)}). Continue with the old values, or from a checkpoint at the end "
                "of an epoch."
            )
        self._epoch, self._consumed = state["epoch"], state["consumed"]
        self._continue_at = (self._epoch, self._consumed)

    def __iter__(self) -> Iterator[ImageBatch]:
        """The batches of the current epoch. Nothing happens before the first is asked for, the epoch being
        set only then.
        """
        start = 0
        if self._continue_at is not None:
            epoch, consumed = self._continue_at
            start = consumed if epoch == self._epoch else 0
            self._continue_at = None
        self._consumed = start
        plan = self.order.plan(self._epoch)
        labels = self.source.labels
        plan = plan.to(labels.device)
        epoch_labels = torch.where(plan.indices < 0, -1, labels[plan.indices])
        for images in self._fetch_all(plan, start):
            batch = self._consumed
            piece = plan.piece(batch)
            self._consumed += 1
            seeds = None if plan.seeds is None else plan.seeds[piece]
            yield ImageBatch(
                images, epoch_labels[piece], plan.indices[piece], seeds, plan.update_sizes[batch]
            )

    def _fetch_all(self, plan: EpochPlan, start: int) -> Iterator[Tensor]:
        if not self.num_workers:
            for batch in range(start, len(self)):
                yield self.source.fetch(*plan.request(batch))
            return
        self._requests.plan, self._requests.start = plan, start
        try:
            for fetched in self._worker_pool():
                if isinstance(fetched, UserMistake):
                    raise fetched
                yield fetched
        except UserMistake:
            raise
        except (RuntimeError, OSError, EOFError) as error:
            self.close()  # a pool that lost a worker is of no more use
            failure = self._explain(error)
            if failure is None:
                raise
            raise failure from error

    def _worker_pool(self) -> DataLoader[Tensor | UserMistake]:
        if self._workers is None:
            self._workers = DataLoader(
                _Fetcher(self.source),
                sampler=self._requests,
                batch_size=None,
                collate_fn=_unchanged,
                num_workers=self.num_workers,
                pin_memory=self._pin_memory,
                timeout=self.timeout,
                persistent_workers=True,
                generator=torch.Generator(),  # its own, or every epoch would advance the global one
            )
        return self._workers

    def _explain(self, error: Exception) -> WorkerFailure | None:
        text = str(error)
        if isinstance(error, RuntimeError) and text.startswith("DataLoader timed out"):
            return WorkerFailure(
                f"no batch arrived from the {self.num_workers} data workers within {self.timeout:g} s: the storage "
                "hangs, or reading a batch takes longer than that."
            )
        if isinstance(error, RuntimeError) and not text.startswith("DataLoader worker"):
            return None
        return WorkerFailure(
            f"a data worker died: probably out of memory or /dev/shm ({text.strip() or type(error).__name__}). "
            f"Use fewer workers than num_workers={self.num_workers}, or a smaller batch; a container may need a "
            "larger --shm-size."
        )

    def close(self) -> None:
        """End the worker processes; the next iteration starts new ones."""
        self._workers = None


Request = tuple[NDArray[np.int64], NDArray[np.int64] | None]


class _Requests:
    """What the workers are asked for, one batch after the other. They outlive an epoch, so its plan is set
    from outside.
    """

    plan: EpochPlan
    start: int

    def __iter__(self) -> Iterator[Request]:
        for batch in range(self.start, len(self.plan.update_sizes)):
            positions, seeds = self.plan.request(batch)
            # arrays, since tensors would travel as file descriptors
            yield positions.numpy(), None if seeds is None else seeds.numpy()


class _Fetcher(Dataset[Tensor | UserMistake]):
    """Runs in the workers. A user's mistake travels back as a value, or torch would wrap it in a traceback."""

    def __init__(self, source: ImageSource) -> None:
        self._source = source

    def __getitem__(self, index: Request) -> Tensor | UserMistake:
        positions, seeds = index
        try:
            return self._source.fetch(
                torch.from_numpy(positions), None if seeds is None else torch.from_numpy(seeds)
            )
        except UserMistake as mistake:
            return mistake


def _unchanged(fetched: Any) -> Any:
    return fetched
