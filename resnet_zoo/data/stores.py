"""Where the bytes of images are kept: a file each, or whatever else can hand them out by position."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from resnet_zoo.data.decode import UnreadableImage
from resnet_zoo.data.index import ImageIndex


class ImageStore(Protocol):
    """Hands out the images of a split one by one, as they are stored. Goes to worker processes pickled."""

    def read(self, position: int) -> NDArray[np.uint8]:
        """One image: its encoded bytes (n,), as a file would hold them, or its pixels (height, width, 3).

        What is returned may be a view of a memory map, of which only this is asked: that torch takes it for writable
        (a map opened copy-on-write, ``mode="c"``). Nobody writes to it.

        Raises:
            UnreadableImage: naming the image.
        """

    def subset(self, index: ImageIndex, positions: NDArray[Any]) -> ImageStore:
        """The store of some of the images, of which this is the index."""


class Files:
    """A file for every image.

    Args:
        index: of the files.
    """

    def __init__(self, index: ImageIndex) -> None:
        self._index = index

    def read(self, position: int) -> NDArray[np.uint8]:
        """The bytes of a file, (n,)."""
        path = self._index.path(position)
        try:
            with io.FileIO(path) as file:  # numpy's own fromfile takes nearly twice as long
                content = np.empty(os.fstat(file.fileno()).st_size, dtype=np.uint8)
                filled = 0
                while filled < len(content) and (count := file.readinto(content[filled:].data)):
                    filled += count
        except OSError as error:
            raise UnreadableImage(path, error.strerror or str(error)) from error
        return content[:filled]

    def subset(self, index: ImageIndex, positions: NDArray[Any]) -> Files:
        """The files of another index."""
        return Files(index)


@dataclass(frozen=True)
class Split:
    """Names and labels of the images of a split, and where their bytes are."""

    index: ImageIndex
    store: ImageStore

    def subset(self, positions: NDArray[Any]) -> Split:
        """Some of the images, in the order given."""
        index = self.index.subset(positions)
        return Split(index, self.store.subset(index, positions))
