"""How fast the images of a data set come from the disk, and how fast a core decodes and crops them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from resnet_zoo.cores import available_cores
from resnet_zoo.data.fetching_speed import fetching_speed
from resnet_zoo.data.index import ImageIndex
from resnet_zoo.data.pipelines import training_transform
from resnet_zoo.data.shuffling import permutation
from resnet_zoo.data.sources import FileImages

SAMPLE = 2048  # files at most
SECONDS = 2.0  # at most for each of the two measurements
TOGETHER = 16  # files read by a thread before the time is looked at


@dataclass(frozen=True)
class ReadingSpeed:
    """What a machine can deliver of a data set.

    Attributes:
        disk_images_per_second: files read, by as many threads as there are cores.
        disk_megabytes_per_second: the same in bytes.
        uncached: whether the system was told to forget the files first, so that it was the disk that was measured.
        decoded_images_per_second_per_core: read from memory, decoded and cropped for training, by one thread.
        cores: that this process may use.
        image_size: of the crops, in pixels.
    """

    disk_images_per_second: float
    disk_megabytes_per_second: float
    uncached: bool
    decoded_images_per_second_per_core: float
    cores: int
    image_size: int

    @property
    def images_per_second(self) -> float:
        """The slower of the two, if decoding scales with the cores."""
        return min(self.disk_images_per_second, self.decoded_images_per_second_per_core * self.cores)

    @property
    def slower(self) -> str:
        """Which of the two is the slower one."""
        decoded = self.decoded_images_per_second_per_core * self.cores
        return "the disk" if self.disk_images_per_second < decoded else "decoding"

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "images_per_second": self.images_per_second, "slower": self.slower}

    def as_text(self) -> str:
        """Two lines."""
        disk = f"{self.disk_images_per_second:,.0f} images/s, {self.disk_megabytes_per_second:,.0f} MB/s"
        disk += "" if self.uncached else ", from the system's cache"
        total = self.decoded_images_per_second_per_core * self.cores
        return (
            f"disk      {disk}\n"
            f"decoding  {self.decoded_images_per_second_per_core:,.0f} images/s per core for training at "
            f"{self.image_size}x{self.image_size}, {total:,.0f} on {self.cores} cores"
        )


def measure_reading(index: ImageIndex, image_size: int = 224) -> ReadingSpeed:
    """Read and decode a sample of a split's files for a few seconds.

    Args:
        index: the split.
        image_size: of the random crops of training, in pixels.
    """
    chosen = permutation(len(index), 0)[:SAMPLE].tolist()
    cores = available_cores()
    paths = [index.path(position) for position in chosen]
    uncached = _forget(paths)
    began, counts = time.perf_counter(), [0, 0]
    with ThreadPoolExecutor(max_workers=cores) as pool:
        for group in _groups(paths, TOGETHER * cores):
            for size in pool.map(_read, group):
                counts[0] += 1
                counts[1] += size
            if (elapsed := time.perf_counter() - began) > SECONDS:
                break
    return ReadingSpeed(
        disk_images_per_second=counts[0] / elapsed,
        disk_megabytes_per_second=counts[1] / elapsed / 1e6,
        uncached=uncached,
        decoded_images_per_second_per_core=_decode(index, chosen[: counts[0]], image_size),
        cores=cores,
        image_size=image_size,
    )


def _decode(index: ImageIndex, positions: Sequence[int], image_size: int) -> float:
    """Images per second of one thread, with files that were just read; 0 if none can be decoded."""
    source = FileImages(index, training_transform(image_size))
    chosen = torch.tensor([positions[0], *positions])  # the first is not counted, and may be the only one
    return fetching_speed(source, chosen, chosen, SECONDS) or 0.0


def _groups(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _forget(paths: Sequence[str]) -> bool:
    """Ask the system to drop the files from its cache, where it can be asked."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in paths:
        try:
            with Path(path).open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError:
            continue
    return True


def _read(path: str) -> int:
    try:
        return len(Path(path).read_bytes())
    except OSError:
        return 0
