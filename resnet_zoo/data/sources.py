"""Where the pixels of a split come from: one tensor held in memory, or files decoded when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from resnet_zoo.cores import available_cores
from resnet_zoo.data.decode import UnreadableImage, decode_crop
from resnet_zoo.data.index import ImageIndex
from resnet_zoo.data.slots import empty_batch
from resnet_zoo.data.stores import Files, ImageStore
from resnet_zoo.data.transforms import Transform
from resnet_zoo.data.unreadable import fetch_readable

CHUNK = 256  # images decoded by a thread at a time


class ImageSource(Protocol):
    """The images of a split, fetched a batch at a time."""

    @property
    def labels(self) -> Tensor:
        """int64 (n,), on the device that ``fetch`` delivers to; -1 where unknown."""

    @property
    def index(self) -> ImageIndex | None:
        """Names of the files; None if the images are no files of their own."""

    def fetch(self, positions: Tensor, seeds: Tensor | None) -> Tensor:
        """uint8 (b, 3, h, w), channels-last, of the images at int64 (b,); position -1 asks for any image at
        all.

        The seeds, int64 (b,), are for what is random before images have one size; None in evaluation.
        """


def at_size(source: ImageSource, size: int | None) -> ImageSource:
    """The same images in another size, where the source has a method of this name since it crops them when they are
    fetched. Others, as those held in memory, stay as they are; so do all for None.
    """
    cropped: Callable[[int], ImageSource] | None = getattr(source, "at_size", None)
    return source if size is None or cropped is None else cropped(size)


class ResidentImages:
    """A whole split in memory, gathered in whole batches: for small data sets, on the training device if it
    fits.

    Args:
        images: uint8 (k, h, w, 3).
        labels: int64 (n,). With more labels than images, image i is ``images[i % k]``.
        index: of the files they came from, if they came from files.
        unreadable: by position, the images that could not be read; their pixels mean nothing.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        index: ImageIndex | None = None,
        unreadable: Mapping[int, UnreadableImage] | None = None,
    ) -> None:
        assert images.dtype == torch.uint8, images.dtype
        assert images.shape[3:] == (3,), images.shape
        self.images = images.contiguous()
        self.labels = labels
        self.index = index
        self.unreadable = unreadable or {}

    @property
    def nbytes(self) -> int:
        """Size of the images, in bytes."""
        return self.images.nbytes

    def to(self, device: torch.device) -> ResidentImages:
        """The same images on another device."""
        return ResidentImages(self.images.to(device), self.labels.to(device), self.index, self.unreadable)

    def fetch(self, positions: Tensor, seeds: Tensor | None) -> Tensor:
        """uint8 (b, 3, h, w), channels-last, as they are stored: all that is random happens later, to whole
        batches.

        Raises:
            UnreadableImage: one of them could not be read.
        """
        if self.unreadable:
            for position in positions.tolist():
                if position in self.unreadable:
                    raise self.unreadable[position]
        rows = positions.clamp(min=0)
        if len(self.images) < len(self.labels):
            rows = rows % len(self.images)
        gathered = self.images.view(len(self.images), -1).index_select(0, rows)  # one copy per image
        return gathered.view(-1, *self.images.shape[1:]).permute(0, 3, 1, 2)


class FileImages:
    """A split of image files, decoded and cropped one by one: what loader workers run.

    Args:
        index: names and labels.
        transform: brings every image to one size.
        store: hands out the files' bytes by position; by default the files themselves.
    """

    def __init__(self, index: ImageIndex, transform: Transform, store: ImageStore | None = None) -> None:
        self.index = index
        self.transform = transform
        self.store: ImageStore = Files(index) if store is None else store

    @property
    def labels(self) -> Tensor:
        """int64 (n,), on the CPU."""
        return torch.from_numpy(self.index.labels).long()

    def at_size(self, size: int) -> FileImages:
        """The same files, cropped to another size."""
        return FileImages(self.index, self.transform.at_size(size), self.store)

    def fetch(self, positions: Tensor, seeds: Tensor | None) -> Tensor:
        """uint8 (b, 3, size, size), channels-last; blank at position -1.

        Raises:
            UnreadableImage: naming the first file that cannot be decoded; nothing is put in its place.
        """
        size = self.transform.size
        batch = empty_batch(len(positions), size)
        sample_seeds: Iterable[int | None] = [None] * len(positions) if seeds is None else seeds.tolist()
        for image, position, seed in zip(batch, positions.tolist(), sample_seeds, strict=True):
            if position < 0:
                image.zero_()
            else:
                crop = partial(self.transform.crop, seed=seed)
                content = self.store.read(position)
                decode_crop(content, self.index.path(position), crop, out=image.permute(2, 0, 1))
        return batch.permute(0, 3, 1, 2)

    def load(self, skip_unreadable: bool = False) -> ResidentImages:
        """Decode everything once, in as many threads as there are cores, and keep it in memory.

        Args:
            skip_unreadable: note the images that cannot be read and go on.

        Raises:
            UnreadableImage: naming the first one, if they are not to be skipped.
        """
        size = self.transform.size
        # An evaluation that measures the training images asks within inference mode, which the threads are not in.
        with torch.inference_mode(False):
            images = torch.empty(len(self.index), size, size, 3, dtype=torch.uint8)
        unreadable: dict[int, UnreadableImage] = {}

        def load_chunk(positions: Tensor) -> None:
            if skip_unreadable:
                loaded, failures = fetch_readable(self, positions, None)
                unreadable.update((int(positions[row]), failure) for row, failure in failures)
            else:
                loaded = self.fetch(positions, None)
            images[int(positions[0]) : int(positions[-1]) + 1] = loaded.permute(0, 2, 3, 1)

        with ThreadPoolExecutor(max_workers=available_cores()) as pool:
            list(pool.map(load_chunk, torch.arange(len(self.index)).chunk(-(-len(self.index) // CHUNK))))
        return ResidentImages(images, self.labels, self.index, unreadable)
