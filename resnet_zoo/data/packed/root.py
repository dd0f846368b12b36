"""A packed data set, opened."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from resnet_zoo.data.array_file import DamagedFile
from resnet_zoo.data.index import mapped_index
from resnet_zoo.data.packed.form import MANIFEST, UNFINISHED, Manifest, Shard
from resnet_zoo.data.packed.remote import Copies, is_remote, read_remote_manifest
from resnet_zoo.data.packed.store import Locate, PackedStore
from resnet_zoo.data.stores import Split
from resnet_zoo.data.walk import below
from resnet_zoo.errors import InvalidValue, MissingData


class Here:
    """Where the files of a packed data set in a folder are."""

    def __init__(self, root: str) -> None:
        self._root = root

    def __call__(self, shard: Shard) -> str:
        """Path of a file."""
        return f"{self._root}{os.sep}{shard.name}"


def is_packed(root: str) -> bool:
    """Whether a root is a packed data set: an address, or a folder with a description of one.

    Raises:
        InvalidValue: one that is not finished.
    """
    if is_remote(root) or Path(root, MANIFEST).is_file():
        return True
    if Path(root, UNFINISHED).is_file():
        raise InvalidValue(
            f"the packed data set in {root!r} is not finished. Give the same 'resnet-zoo data pack' command again: it "
            "continues where it stopped."
        )
    return False


class PackedRoot:
    """A packed data set, as a ``layout.ImageRoot``.

    When it is opened, the description and the sizes of all shards are checked, and the checksum of a split's index when
    the split is; images are checked when they are read, and ``verify`` looks at everything.

    Args:
        path: its folder or address.

    Raises:
        DamagedFile: the description is damaged, or a shard was cut short.
        MissingData: a shard or the whole is not there.
        InvalidValue: it was packed by another version.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.locate: Locate
        if is_remote(path):
            text = read_remote_manifest(path)
            self.manifest = Manifest.from_text(text, f"{path}/{MANIFEST}")
            self.locate = Copies.of(path, text)
        else:
            place = Path(path, MANIFEST)
            self.manifest = Manifest.from_text(place.read_text(encoding="utf-8"), str(place))
            self.locate = Here(path)
            for split in self.manifest.splits.values():
                for shard in (split.index, *split.shards):
                    _check_size(self.locate(shard), shard)

    def split_names(self) -> list[str]:
        """Names of the splits; of images that were packed without, of their classes, as a folder would show them."""
        return sorted(filter(None, self.manifest.splits)) or list(self.manifest.class_names)

    def class_names(self, split: str) -> list[str]:
        """The same classes for every split."""
        return list(self.manifest.class_names)

    def require_same_classes(self, train: str, classes: Sequence[str], other: str) -> None:
        """They were compared when they were packed."""

    def open_split(self, split: str, classes: Sequence[str]) -> Split:
        """The images of a split.

        Raises:
            DamagedFile: the index was cut short or altered.
        """
        packed = self.manifest.splits[split]
        index, file = mapped_index(below(self.path, split), Path(self.locate(packed.index)))
        offsets, checksums = file.arrays["offsets"], file.arrays["checksums"]
        store = PackedStore(index, packed.shards, self.locate, offsets, checksums, self.manifest.encoding.raw)
        return Split(index, store)

    def origin(self) -> dict[str, Any]:
        """How the images differ from the files they were made of: empty if they do not."""
        if not any(split.changed for split in self.manifest.splits.values()):
            return {}
        return {"packed": asdict(self.manifest.encoding)}


def _check_size(path: str, shard: Shard) -> None:
    try:
        size = Path(path).stat().st_size
    except OSError as error:
        raise MissingData(f"the shard '{path}' cannot be read: {error.strerror or error}.") from error
    if size != shard.bytes:
        raise DamagedFile(
            f"the shard '{path}' is damaged: it has {size:,} bytes and should have {shard.bytes:,}. Pack the images "
            "again."
        )
