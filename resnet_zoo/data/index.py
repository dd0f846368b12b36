"""The list of image files of a split, small enough for a million files and for many workers.

Paths are packed into one byte buffer with offsets, labels into one integer array. A Python list of as many
strings takes six times the memory, and again as much in every worker, because counting references writes to
the pages they share.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resnet_zoo.data.decode import is_image_name
from resnet_zoo.errors import InvalidValue


class ImageIndex:
    """Paths and labels of n images.

    Args:
        folder: all paths are relative to it.
        names: relative paths.
        labels: one per path; -1 where unknown.
    """

    def __init__(self, folder: str, names: Iterable[str], labels: Iterable[int]) -> None:
        encoded = [os.fsencode(name) for name in names]
        self.folder = folder
        self.labels: NDArray[np.int32] = np.fromiter(labels, dtype=np.int32)
        self._buffer: NDArray[np.uint8] = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        self._ends: NDArray[np.int64] = np.cumsum(
            np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
        )
        assert len(self.labels) == len(self._ends)

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def nbytes(self) -> int:
        """Memory taken, in bytes."""
        return self.labels.nbytes + self._buffer.nbytes + self._ends.nbytes

    def name(self, position: int) -> str:
        """Path of an image, relative to the folder."""
        start = int(self._ends[position - 1]) if position else 0
        return os.fsdecode(self._buffer[start : int(self._ends[position])].tobytes())

    def path(self, position: int) -> str:
        """Path of an image."""
        return f"{self.folder}{os.sep}{self.name(position)}"

    def subset(self, positions: NDArray[Any]) -> ImageIndex:
        """The index of some of the images, in the order given."""
        return ImageIndex(self.folder, map(self.name, positions.tolist()), self.labels[positions].tolist())

    def fingerprint(self) -> str:
        """A hash of names, labels and file sizes (not of contents, which would take reading everything)."""
        digest = hashlib.sha256(self._buffer.tobytes() + self._ends.tobytes() + self.labels.tobytes())
        sizes = (Path(self.path(position)).stat().st_size for position in range(len(self)))
        digest.update(np.fromiter(sizes, dtype=np.int64, count=len(self)).tobytes())
        return digest.hexdigest()


def image_names(folder: str) -> Iterator[str]:
    """Every image below a folder, as paths relative to it, in torchvision's order: by folder, then by name.

    Links are followed, to files and to folders: a choice of a larger data set is often made of them.

    Raises:
        InvalidValue: a link leads back to a folder that it lies in.
    """
    for directory, _, files in sorted(_folders_below(folder)):
        inside = Path(directory).relative_to(folder)
        if any(part.startswith(".") for part in inside.parts):
            continue
        for name in sorted(filter(is_image_name, files)):
            yield str(inside / name)


def _folders_below(folder: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """As ``os.walk`` with links followed, but a link in circles is an error and not the same images forty times."""
    for directory, inside, files in os.walk(folder, followlinks=True):
        for name in inside:
            path = Path(directory, name)
            if path.is_symlink() and Path(directory).resolve().is_relative_to(path.resolve()):
                raise InvalidValue(
                    f"the link '{path}' leads back to '{path.resolve()}', which it lies in, so that its images would "
                    "be found again and again. Remove the link."
                )
        yield directory, inside, files


def index_classes(folder: str, class_names: Sequence[str]) -> ImageIndex:
    """The images of a split that has one folder per class, the label being the position in ``class_names``."""
    names: list[str] = []
    labels: list[int] = []
    for label, class_name in enumerate(class_names):
        found = [f"{class_name}{os.sep}{name}" for name in image_names(f"{folder}{os.sep}{class_name}")]
        names += found
        labels += [label] * len(found)
    return ImageIndex(folder, names, labels)


def index_folder(folder: str) -> ImageIndex:
    """All images below a folder in any layout, labels unknown."""
    names = list(image_names(folder))
    return ImageIndex(folder, names, [-1] * len(names))
