"""Indexing the images below a folder: in threads where that helps, with a progress bar, kept for the next time."""

from __future__ import annotations

import time
from collections.abc import Sequence

from resnet_zoo.data import index_cache
from resnet_zoo.data.index import Entry, ImageIndex
from resnet_zoo.data.patience import ask
from resnet_zoo.data.progress_bar import ProgressBar
from resnet_zoo.data.walk import below, folders_below, sizes_of

QUIET_SECONDS = 2.0
Seen = list[tuple[str, int]]
"""Folders, with the time at which each last changed."""


def index_classes(folder: str, class_names: Sequence[str]) -> ImageIndex:
    """The images of a split that has one folder per class, the label being the position in ``class_names``.

    A large split is remembered in the user's cache folder, see ``index_cache``.

    Raises:
        InvalidValue: a link leads back to a folder that it lies in.
        MissingData: a folder cannot be read.
    """
    return _index(folder, list(enumerate(class_names)))


def index_folder(folder: str) -> ImageIndex:
    """All images below a folder in any layout, labels unknown; otherwise as ``index_classes``."""
    return _index(folder, [(-1, "")])


def _index(folder: str, searched: Sequence[tuple[int, str]]) -> ImageIndex:
    """The images below some folders inside ``folder``, each with the label they get."""
    key = [f"{label} {inside}" for label, inside in searched]
    remembered = index_cache.remembered(folder, key)
    if remembered is not None:
        return remembered
    began = time.monotonic()
    bar = ProgressBar(f"class folders of '{folder}'", len(searched), quiet_seconds=QUIET_SECONDS)
    parts: list[ImageIndex] = []
    seen: Seen = []
    for part, folders in ask(lambda label_and_place: _search(folder, *label_and_place), searched):
        parts.append(part)
        seen += folders
        bar.advance(1)
    index = ImageIndex.joined(folder, parts)
    return index_cache.remember(index, key, seen, time.monotonic() - began)


def _search(folder: str, label: int, inside: str) -> tuple[ImageIndex, Seen]:
    """The images below one folder."""
    entries: list[Entry] = []
    seen: Seen = []
    for found in folders_below(below(folder, inside)):
        place = below(inside, found.inside)
        seen.append((place, found.changed))
        sizes = sizes_of(below(folder, place), found.names)
        entries += [(place, name, label, size) for name, size in zip(found.names, sizes, strict=True)]
    return ImageIndex.of(folder, entries), seen
