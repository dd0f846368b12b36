"""Reading images out of shards."""

from __future__ import annotations

import os
import threading
import zlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resnet_zoo.data.array_file import DamagedFile
from resnet_zoo.data.index import ImageIndex
from resnet_zoo.data.packed.encode import pixels_of
from resnet_zoo.data.packed.form import Shard

MOST_OPEN = 128  # shards at a time; processes may commonly open 1,024 files
Locate = Callable[[Shard], str]
"""From a shard to the path of a file with its content."""


class PackedStore:
    """The images of a packed split, read with one system call each.

    Not through a memory map: reading takes three microseconds more for an image of 27 kB, but the memory of a process
    stays as it is, and a shard that becomes shorter is an error and not the end of the process. An image's checksum
    is compared when a process reads it for the first time.

    Args:
        index: names, labels and stored sizes.
        shards: in order.
        locate: where the shards are.
        offsets: int64 (n,), where images begin, counted from the beginning of the first shard over all of them.
        checksums: uint32 (n,), CRC-32 of every image as stored.
        raw: whether pixels are stored and not files.
    """

    def __init__(
        self,
        index: ImageIndex,
        shards: Sequence[Shard],
        locate: Locate,
        offsets: NDArray[np.int64],
        checksums: NDArray[np.uint32],
        raw: bool,
    ) -> None:
        self._made_of = (index, shards, locate, offsets, checksums, raw)
        self._index, self._shards, self._locate, self._offsets, self._checksums, self._raw = self._made_of
        self._starts = [0, *accumulate(shard.bytes for shard in shards)]
        self._known_good = np.zeros(len(index), dtype=bool)
        self._open: dict[int, _Descriptor] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._made_of

    def subset(self, index: ImageIndex, positions: NDArray[Any]) -> PackedStore:
        """Some of the images, with their own index."""
        _, shards, locate, offsets, checksums, raw = self._made_of
        return PackedStore(index, shards, locate, offsets[positions], checksums[positions], raw)

    def read(self, position: int) -> NDArray[np.uint8]:
        """The bytes of an image (n,), or its pixels (h, w, 3) if they are stored raw.

        Raises:
            DamagedFile: the shard was cut short or altered, or is not there any more.
        """
        offset, size = int(self._offsets[position]), int(self._index.sizes[position])
        number = bisect_right(self._starts, offset, hi=len(self._shards)) - 1 if size else 0
        content = np.empty(size, dtype=np.uint8)
        if size:
            descriptor = self._opened(number)
            received = os.preadv(descriptor.number, [content.data], offset - self._starts[number])
            if received != size:
                raise self._damaged(number, position, f"only {received:,} of its {size:,} bytes are there")
        if not self._known_good[position]:
            if zlib.crc32(content.data) != self._checksums[position]:
                raise self._damaged(number, position, "it does not have its checksum")
            self._known_good[position] = True
        return pixels_of(content) if self._raw else content

    def _opened(self, number: int) -> _Descriptor:
        descriptor = self._open.get(number)
        if descriptor is None:
            with self._lock:
                path = self._locate(self._shards[number])
                try:
                    descriptor = _Descriptor(path)
                except OSError as error:
                    raise DamagedFile(
                        f"cannot open the shard '{path}': {error.strerror or error}."
                    ) from error
                if len(self._open) >= MOST_OPEN:
                    del self._open[next(iter(self._open))]  # closed once nobody reads from it any more
                self._open[number] = descriptor
        return descriptor

    def _damaged(self, number: int, position: int, what: str) -> DamagedFile:
        return DamagedFile(
            f"the shard '{self._locate(self._shards[number])}' is damaged: of the image "
            f"'{self._index.path(position)}', {what}. 'resnet-zoo data pack --verify' looks through all shards; pack "
            "the images again."
        )


class _Descriptor:
    """An open file that is closed when nobody uses it any more."""

    def __init__(self, path: str) -> None:
        self.number = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "number"):
            os.close(self.number)
