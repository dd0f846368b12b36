"""What the root of a data set must look like, as a folder or packed, and what is said when it does not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from resnet_zoo.data.decode import is_image_name
from resnet_zoo.data.packed.root import PackedRoot, is_packed
from resnet_zoo.data.scan import index_classes
from resnet_zoo.data.stores import Files, Split
from resnet_zoo.errors import InvalidValue, MissingData

EVERY_SPLIT = ("train", "val", "test")
SEE = "See docs/data.md."


def quoted(names: Sequence[str], limit: int = 5) -> str:
    """The first few names in quotes, and how many more there are."""
    more = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return ", ".join(map(repr, names[:limit])) + more if names else "nothing"


def subfolders(folder: str) -> list[str]:
    """Names of the folders inside a folder, sorted, without hidden ones."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _has_images(folder: str) -> bool:
    with os.scandir(folder) as entries:
        return any(is_image_name(entry.name) for entry in islice(entries, 1000))


def require_root(data_set: str, root: str) -> str:
    """The root folder, if there is one."""
    folder = Path(root)
    if folder.is_dir():
        return root
    reason = "is not a folder" if folder.exists() else "does not exist"
    raise MissingData(f"{data_set} root {root!r} {reason} (looked for {str(folder.resolve())!r}). {SEE}")


class ImageRoot(Protocol):
    """The root of a data set: what it holds, whatever its form."""

    path: str

    def split_names(self) -> list[str]:
        """Names of the splits, or of whatever lies where they should; "" stands for images without splits."""

    def class_names(self, split: str) -> list[str]:
        """Classes of a split, sorted; refuses one without any."""

    def require_same_classes(self, train: str, classes: Sequence[str], other: str) -> None:
        """Refuse a split whose classes are not those of the training split."""

    def open_split(self, split: str, classes: Sequence[str]) -> Split:
        """The images of a split; refuses classes without images."""

    def origin(self) -> dict[str, Any]:
        """What distinguishes the images from files as they were: plain types."""


def open_root(data_set: str, root: str) -> ImageRoot:
    """The root of a data set: a folder of images, a packed data set, or the address of one.

    Raises:
        MissingData, InvalidValue: it is none of them.
    """
    return PackedRoot(root) if is_packed(root) else FolderRoot(data_set, root)


class FolderRoot:
    """A folder with a folder per split, or per class.

    Args:
        data_set: that it is for, named in messages.
        path: of the folder.

    Raises:
        MissingData: there is no such folder.
    """

    def __init__(self, data_set: str, path: str) -> None:
        self.data_set = data_set
        self.path = require_root(data_set, path)

    def _folder(self, split: str) -> str:
        return str(Path(self.path) / split) if split else self.path

    def split_names(self) -> list[str]:
        """Names of the folders inside, sorted."""
        return subfolders(self.path)

    def class_names(self, split: str) -> list[str]:
        """Names of the class folders of a split, sorted; refuses a split without any."""
        folder = self._folder(split)
        names = subfolders(folder)
        if names:
            return names
        if _has_images(folder):
            raise InvalidValue(
                f"{self.data_set} folder {folder!r} has images directly inside and no class folders. Sort them into "
                f"one folder per class. {SEE}"
            )
        raise MissingData(f"{self.data_set} folder {folder!r} has neither class folders nor images. {SEE}")

    def require_same_classes(self, train: str, classes: Sequence[str], other: str) -> None:
        """Refuse a split whose class folders are not those of the training split."""
        others = self.class_names(other)
        train_folder, folder = self._folder(train), self._folder(other)
        missing = sorted(set(classes) - set(others))
        unknown = sorted(set(others) - set(classes))
        complaints = []
        if missing:
            complaints.append(
                f"{len(missing):,} of the {len(classes):,} classes of {train_folder!r} are missing: {quoted(missing)}"
            )
        if unknown:
            complaints.append(f"{len(unknown):,} classes are not in {train_folder!r}: {quoted(unknown)}")
        if complaints:
            raise InvalidValue(
                f"{self.data_set} folder {folder!r} has other classes than {train_folder!r}. {'; '.join(complaints)}. "
                f"{SEE}"
            )

    def open_split(self, split: str, classes: Sequence[str]) -> Split:
        """The files of a split with one folder per class; refuses classes without images."""
        folder = self._folder(split)
        index = index_classes(folder, classes)
        if not len(index):
            raise MissingData(
                f"{self.data_set} folder {folder!r} has {len(classes):,} class folders but no image in them. {SEE}"
            )
        filled = set(index.labels.tolist())
        empty = [name for label, name in enumerate(classes) if label not in filled]
        if empty:
            raise InvalidValue(
                f"{self.data_set} folder {folder!r} has {len(empty):,} classes without an image: {quoted(empty)}. {SEE}"
            )
        return Split(index, Files(index))

    def origin(self) -> dict[str, Any]:
        """Nothing: they are the files."""
        return {}


def require_splits(data_set: str, root: ImageRoot, expected: Sequence[str]) -> None:
    """Refuse a root without the folders of its splits, saying which are there."""
    found = root.split_names()
    for name in expected:
        if name not in found:
            there = [name for name in expected if name in found] + [
                name for name in found if name not in expected
            ]
            raise MissingData(
                f"{data_set} root {root.path!r} has no {name!r} folder. Expected {' and '.join(map(repr, expected))}, "
                f"found: {quoted(there, 10)}. {SEE}"
            )
