"""The list of the images of a split, small enough for millions of files and for many workers.

Names are packed into one byte buffer with offsets, and folders and labels are kept once for each run of images that
share them. A Python list of as many strings takes six times the memory, and again as much in every worker, because
counting references writes to the pages they share.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resnet_zoo.data.array_file import ArrayFile, DamagedFile, read_arrays

LARGEST_SIZE = 2**32 - 1  # bytes; no image file comes near it
Entry = tuple[str, str, int, int]
"""An image: its folder, its name in there, its label, the size of its file in bytes."""
_KINDS = {
    "names": "u1",
    "name_ends": "u4",
    "sizes": "u4",
    "folders": "u1",
    "folder_ends": "u4",
    "run_ends": "u4",
    "run_folders": "u4",
    "run_labels": "i4",
}


class ImageIndex:
    """Names, labels and file sizes of n images.

    Args:
        folder: all names are relative to it.
        arrays: as ``ImageIndex.of`` makes them. ``names`` uint8 and ``name_ends`` uint32 (n,): file names without their
            folders; ``sizes`` uint32 (n,); ``folders`` uint8 and ``folder_ends`` uint32 (k,); ``run_ends``,
            ``run_folders`` uint32 and ``run_labels`` int32 (r,): which images lie in which folder and have which label.
        mapped: the file that the arrays are mapped from, and its checksum; a copy of the index in another process then
            maps it too.
    """

    def __init__(
        self, folder: str, arrays: Mapping[str, NDArray[Any]], mapped: tuple[Path, str] | None = None
    ) -> None:
        self.folder = folder
        self._arrays = dict(arrays)
        self._mapped = mapped

    @classmethod
    def of(cls, folder: str, entries: Iterable[Entry]) -> ImageIndex:
        """The index of images that are given one by one; labels are -1 where unknown."""
        names: list[bytes] = []
        sizes: list[int] = []
        runs: list[tuple[str, int, int]] = []
        for (inside, label), group in groupby(entries, key=lambda entry: (entry[0], entry[2])):
            for _, name, _, size in group:
                names.append(os.fsencode(name))
                sizes.append(min(size, LARGEST_SIZE))
            runs.append((inside, label, len(names)))
        places = {inside: place for place, inside in enumerate(dict.fromkeys(run[0] for run in runs))}
        folders = [os.fsencode(inside) for inside in places]
        arrays: dict[str, NDArray[Any]] = {
            "names": _joined(names),
            "name_ends": _ends(names),
            "sizes": np.array(sizes, dtype=np.uint32),
            "folders": _joined(folders),
            "folder_ends": _ends(folders),
            "run_ends": np.array([end for _, _, end in runs], dtype=np.uint32),
            "run_folders": np.array([places[inside] for inside, _, _ in runs], dtype=np.uint32),
            "run_labels": np.array([label for _, label, _ in runs], dtype=np.int32),
        }
        return cls(folder, arrays)

    @classmethod
    def joined(cls, folder: str, parts: Sequence[ImageIndex]) -> ImageIndex:
        """The images of several indices one after the other, all below the same folder."""
        arrays: dict[str, NDArray[Any]] = {
            name: np.concatenate([part._arrays[name] for part in parts] or [np.array([], kind)])
            for name, kind in _KINDS.items()
        }
        for ends, counted in (("name_ends", "names"), ("folder_ends", "folders"), ("run_ends", "name_ends")):
            before = np.cumsum([0, *(len(part._arrays[counted]) for part in parts)])
            pieces = np.repeat(before[:-1], [len(part._arrays[ends]) for part in parts])
            arrays[ends] = (arrays[ends] + pieces).astype(np.uint32)
        before = np.cumsum([0, *(len(part._arrays["folder_ends"]) for part in parts)])
        pieces = np.repeat(before[:-1], [len(part._arrays["run_folders"]) for part in parts])
        arrays["run_folders"] = (arrays["run_folders"] + pieces).astype(np.uint32)
        return cls(folder, arrays)

    def __len__(self) -> int:
        return len(self._arrays["name_ends"])

    def __reduce__(self) -> tuple[Any, ...]:
        if self._mapped is None:
            return type(self), (self.folder, self._arrays)
        return _map_again, (self.folder, *self._mapped)

    @property
    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """What the index is made of, to be written to a file."""
        return self._arrays

    @property
    def sizes(self) -> NDArray[np.uint32]:
        """Size of every file when it was indexed, uint32 (n,), in bytes."""
        return self._arrays["sizes"]

    @property
    def num_bytes(self) -> int:
        """Size of all files when they were indexed."""
        return int(self.sizes.sum(dtype=np.int64))

    @cached_property
    def labels(self) -> NDArray[np.int32]:
        """Label of every image, int32 (n,); -1 where unknown."""
        ends = self._arrays["run_ends"].astype(np.int64)
        counts = ends - np.concatenate([[0], ends[:-1]])
        labels: NDArray[np.int32] = np.repeat(self._arrays["run_labels"], counts)
        return labels

    def name(self, position: int) -> str:
        """Path of an image, relative to the folder."""
        run = np.searchsorted(self._arrays["run_ends"], position, side="right")
        inside = _text(self._arrays["folders"], self._arrays["folder_ends"], self._arrays["run_folders"][run])
        name = _text(self._arrays["names"], self._arrays["name_ends"], position)
        return f"{inside}{os.sep}{name}" if inside else name

    def path(self, position: int) -> str:
        """Path of an image."""
        return f"{self.folder}{os.sep}{self.name(position)}"

    def subset(self, positions: NDArray[Any]) -> ImageIndex:
        """The index of some of the images, in the order given."""
        arrays = dict(self._arrays)
        ends = arrays["name_ends"].astype(np.int64)
        starts = ends - np.diff(ends, prepend=0)
        names = memoryview(arrays["names"])  # type: ignore[arg-type]
        pieces = zip(starts[positions].tolist(), ends[positions].tolist(), strict=True)
        arrays["names"] = np.frombuffer(b"".join(names[start:end] for start, end in pieces), dtype=np.uint8)
        arrays["name_ends"] = np.cumsum(ends[positions] - starts[positions]).astype(np.uint32)
        arrays["sizes"] = arrays["sizes"][positions]
        runs = np.searchsorted(arrays["run_ends"], positions, side="right")
        last = np.flatnonzero(np.diff(runs, append=-1))  # the last image of every run of the subset
        arrays["run_ends"] = (last + 1).astype(np.uint32)
        for name in ("run_folders", "run_labels"):
            arrays[name] = arrays[name][runs[last]]
        return ImageIndex(self.folder, arrays)

    @property
    def num_runs(self) -> int:
        """Number of runs: images in a row that share folder and label."""
        return len(self._arrays["run_ends"])

    def run(self, number: int) -> tuple[str, list[bytes], NDArray[np.uint32]]:
        """The images of a run: their folder, their names in it, and the sizes of their files."""
        arrays = self._arrays
        first = int(arrays["run_ends"][number - 1]) if number else 0
        end = int(arrays["run_ends"][number])
        inside = _text(arrays["folders"], arrays["folder_ends"], int(arrays["run_folders"][number]))
        start = int(arrays["name_ends"][first - 1]) if first else 0
        ends = arrays["name_ends"][first:end].astype(np.int64) - start
        text = arrays["names"][start : start + int(ends[-1])].tobytes()
        return inside, [text[a:b] for a, b in pairwise([0, *ends.tolist()])], self.sizes[first:end]

    def fingerprint(self) -> str:
        """A hash of names, labels and file sizes (not of contents, which would take reading everything)."""
        arrays = self._arrays
        digest = hashlib.sha256()
        begin = 0
        for end, place, label in zip(
            *(arrays[name].tolist() for name in ("run_ends", "run_folders", "run_labels")), strict=True
        ):
            inside = _text(arrays["folders"], arrays["folder_ends"], place)
            digest.update(f"{end - begin} {label} {inside}\0".encode("utf-8", "surrogateescape"))
            begin = end
        for array in (arrays["names"], arrays["name_ends"], arrays["sizes"]):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def mapped_index(folder: str, path: Path) -> tuple[ImageIndex, ArrayFile]:
    """The index that a file holds, mapped into memory, and all that the file holds.

    Raises:
        DamagedFile: the file was cut short or altered.
        OSError: it cannot be read.
    """
    file = read_arrays(path)
    index = ImageIndex(folder, {name: file.arrays[name] for name in _KINDS}, (path, file.sha256))
    return index, file


def _map_again(folder: str, path: Path, sha256: str) -> ImageIndex:
    index, _ = mapped_index(folder, path)
    if index._mapped != (path, sha256):
        raise DamagedFile(
            f"'{path}' was replaced while it was in use: the images below '{folder}' have changed."
        )
    return index


def _text(buffer: NDArray[np.uint8], ends: NDArray[np.uint32], place: int) -> str:
    start = int(ends[place - 1]) if place else 0
    return os.fsdecode(buffer[start : int(ends[place])].tobytes())


def _joined(texts: list[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(texts), dtype=np.uint8)


def _ends(texts: list[bytes]) -> NDArray[np.uint32]:
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    return np.cumsum(lengths).astype(np.uint32)
