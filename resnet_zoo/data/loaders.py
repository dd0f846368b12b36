"""The loader behind every split: an order, a source of pixels, and worker processes if asked for.

It can be stopped and continued at any batch (``state_dict``, ``load_state_dict``), gives the same batches with
any number of workers, and keeps its workers from one epoch to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from resnet_zoo.data.batch import ImageBatch
from resnet_zoo.data.epoch_plan import EpochPlan
from resnet_zoo.data.order import Order
from resnet_zoo.data.side_stream import side_stream
from resnet_zoo.data.sources import ImageSource, at_size
from resnet_zoo.data.unreadable import Fetched, fetch_readable, without_unreadable
from resnet_zoo.data.workers import WorkerPool
from resnet_zoo.errors import InvalidValue


class ImageLoader:
    """Batches of one split on one rank, one epoch per iteration.

    Args:
        source: of the pixels.
        order: of the images.
        num_workers: processes that fetch batches; 0 fetches in this process, on the device the source is on.
        device: that the batches are for. To a GPU they are copied here, while it is still at work on the batch
            before; for anything else they stay where the source has them.
        timeout: seconds without a batch from the workers after which they are given up.
        reshuffle: whether ``set_epoch`` changes the order.
        skip_unreadable: hand out batches without the images that cannot be read, naming them, instead of raising.
        train_size: the size of the images of an epoch, counted from 0, in pixels; None leaves the source's.
    """

    def __init__(
        self,
        source: ImageSource,
        order: Order,
        *,
        num_workers: int = 0,
        device: torch.device | None = None,
        timeout: float = 600,
        reshuffle: bool = True,
        skip_unreadable: bool = False,
        train_size: Callable[[int], int] | None = None,
    ) -> None:
        self.source = source
        self.order = order
        self._workers: WorkerPool | None = None
        if num_workers:
            self._workers = WorkerPool(source, num_workers, timeout, skip_unreadable)
        self._side_stream = side_stream(device)
        self._skip_unreadable = skip_unreadable
        self._reshuffle = reshuffle
        self._train_size = train_size
        self._announced = self._epoch = 0
        self._consumed = 0
        self._continue_at: tuple[int, int] | None = None

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
        self._announced = epoch
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
            changed = [
                f"{key}: {saved.get(key)} then, {now[key]} now" for key in now if saved.get(key) != now[key]
            ]
            raise InvalidValue(
                f"cannot continue in the middle of epoch {state['epoch']}: its order depends on what has changed "
                f"since ({'; '.join(changed)}). Continue with the old values, or from a checkpoint at the end of "
                "an epoch."
            )
        self._announced = self._epoch = state["epoch"]
        self._consumed = state["consumed"]
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
        requests = self.order.plan(self._epoch).to(self.source.labels.device)
        size = None if self._train_size is None else self._train_size(self._announced)
        labels = self._placed(self.source.labels)
        plan = requests.to(labels.device)
        epoch_labels = torch.where(plan.indices < 0, -1, labels[plan.indices])
        for images, failures in self._fetch(requests, start, size):
            batch = self._consumed
            piece = plan.piece(batch)
            self._consumed += 1
            seeds = None if plan.seeds is None else plan.seeds[piece]
            whole = ImageBatch(
                self._placed(images),
                epoch_labels[piece],
                plan.indices[piece],
                seeds,
                plan.update_sizes[batch],
                train_size=size,
                share_seeds=None if plan.share_seeds is None else plan.share_seeds[piece],
            )
            yield without_unreadable(whole, failures) if failures else whole

    def _placed(self, tensor: Tensor) -> Tensor:
        return tensor if self._side_stream is None else self._side_stream.copy(tensor)

    def _fetch(self, plan: EpochPlan, start: int, size: int | None) -> Iterator[Fetched]:
        if self._workers is not None:
            yield from self._workers.fetch(plan, start, size)
            return
        source = at_size(self.source, size)
        for batch in range(start, len(self)):
            if self._skip_unreadable:
                yield fetch_readable(source, *plan.request(batch))
            else:
                yield source.fetch(*plan.request(batch)), []

    def close(self) -> None:
        """End the worker processes; the next iteration starts new ones."""
        if self._workers is not None:
            self._workers.close()

    @property
    def _iterator(self) -> Any:
        """Lightning ends the workers of a loader that has this attribute, also after a crash, and sets it to
        None.
        """
        return None if self._workers is None else self._workers.iterator

    @_iterator.setter
    def _iterator(self, nothing: None) -> None:
        self.close()
