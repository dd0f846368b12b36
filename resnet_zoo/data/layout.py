"""What a folder of images must look like, and what is said when it does not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from resnet_zoo.data.decode import is_image_name
from resnet_zoo.data.index import ImageIndex
from resnet_zoo.data.scan import index_classes
from resnet_zoo.errors import InvalidValue, MissingData

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


def require_splits(data_set: str, root: str, expected: Sequence[str]) -> None:
    """Refuse a root without the folders of its splits, saying which are there."""
    found = subfolders(root)
    for name in expected:
        if name not in found:
            there = [name for name in expected if name in found] + [
                name for name in found if name not in expected
            ]
            raise MissingData(
                f"{data_set} root {root!r} has no {name!r} folder. Expected {' and '.join(map(repr, expected))}, "
                f"found: {quoted(there, 10)}. {SEE}"
            )


def class_folders(data_set: str, folder: str) -> list[str]:
    """Names of the class folders of a split, sorted; refuses a split without any."""
    names = subfolders(folder)
    if names:
        return names
    if _has_images(folder):
        raise InvalidValue(
            f"{data_set} folder {folder!r} has images directly inside and no class folders. Sort them into one "
            f"folder per class. {SEE}"
        )
    raise MissingData(f"{data_set} folder {folder!r} has neither class folders nor images. {SEE}")


def require_same_classes(data_set: str, train: str, train_classes: Sequence[str], other: str) -> None:
    """Refuse a split whose class folders are not those of the training split."""
    classes = class_folders(data_set, other)
    missing = sorted(set(train_classes) - set(classes))
    unknown = sorted(set(classes) - set(train_classes))
    complaints = []
    if missing:
        complaints.append(
            f"{len(missing):,} of the {len(train_classes):,} classes of {train!r} are missing: {quoted(missing)}"
        )
    if unknown:
        complaints.append(f"{len(unknown):,} classes are not in {train!r}: {quoted(unknown)}")
    if complaints:
        raise InvalidValue(
            f"{data_set} folder {other!r} has other classes than {train!r}. {'; '.join(complaints)}. {SEE}"
        )


def index_split(data_set: str, folder: str, classes: Sequence[str]) -> ImageIndex:
    """The images of a split with one folder per class; refuses classes without images."""
    index = index_classes(folder, classes)
    if not len(index):
        raise MissingData(
            f"{data_set} folder {folder!r} has {len(classes):,} class folders but no image in them. {SEE}"
        )
    filled = set(index.labels.tolist())
    empty = [name for label, name in enumerate(classes) if label not in filled]
    if empty:
        raise InvalidValue(
            f"{data_set} folder {folder!r} has {len(empty):,} classes without an image: {quoted(empty)}. {SEE}"
        )
    return index
