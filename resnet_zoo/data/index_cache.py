"""Indices of large folders, kept in the user's cache folder so that the next start need not list the files again.

The place is ``$XDG_CACHE_HOME/resnet-zoo/index``, or ``~/.cache/resnet-zoo/index``: the data may lie where nobody may
write, and a run directory does not exist yet when the images are counted. Nothing depends on it: where it cannot be
written or read, or does not fit the folder any more, the folder is indexed anew.

Whether it still fits is looked up at every start: the time of every folder, which changes when a file is added, removed
or renamed, and the size of every file. A file that was rewritten in place with exactly as many bytes goes unnoticed,
as it does in the fingerprint of a data set. All processes of a machine map the same file and share its memory.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from resnet_zoo.cache import cache_folder
from resnet_zoo.data.array_file import DamagedFile, write_arrays
from resnet_zoo.data.index import ImageIndex, mapped_index
from resnet_zoo.data.patience import ask
from resnet_zoo.data.walk import below, changed_at, sizes_of

FORMAT = 2
WORTH_REMEMBERING = 50_000
"""Images from which on an index is kept; fewer are listed in a fraction of a second."""
SETTLED_SECONDS = 2.0
"""A folder that changed so shortly before it was listed may change again without its time showing it."""


def remembered(folder: str, key: Sequence[str]) -> ImageIndex | None:
    """The index that was kept of a folder, if it is still true.

    Args:
        folder: of the split.
        key: what was searched in it, and which labels were given.
    """
    path = _file_for(folder, key)
    try:
        index, file = mapped_index(folder, path)
        if all(changed_at(below(folder, place)) == changed for place, changed in file.about["directories"]):
            return index if _has_these_sizes(index) else None
    except (OSError, DamagedFile):
        pass
    return None


def remember(
    index: ImageIndex, key: Sequence[str], seen: list[tuple[str, int]], seconds: float
) -> ImageIndex:
    """Keep an index if it is large, and say so.

    Args:
        index: of the folder.
        key: as for ``remembered``.
        seen: every folder with the time at which it last changed.
        seconds: that the indexing took.

    Returns:
        the index, mapped from where it is kept if it is.
    """
    if len(index) < WORTH_REMEMBERING:
        return index
    path = _file_for(index.folder, key)
    settled = time.time_ns() - int((SETTLED_SECONDS + seconds) * 1e9)
    directories = [(place, changed if changed < settled else -1) for place, changed in seen]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_arrays(path, index.arrays, {"folder": index.folder, "directories": directories})
        kept = f"kept in '{path}' for the next start"
        index, _ = mapped_index(index.folder, path)
    except OSError as error:
        kept = (
            f"to be done again at every start, since '{path}' cannot be written ({error.strerror or error})"
        )
    if os.environ.get("LOCAL_RANK", "0") == "0":
        print(
            f"indexed {len(index):,} images below '{index.folder}' in {seconds:.1f} s; {kept}.",
            file=sys.stderr,
        )
    return index


def _has_these_sizes(index: ImageIndex) -> bool:
    """Whether every file still has the size it had when it was indexed."""

    def same(number: int) -> bool:
        inside, names, sizes = index.run(number)
        return sizes_of(below(index.folder, inside), names) == list(map(int, sizes))

    return all(ask(same, range(index.num_runs)))


def _file_for(folder: str, key: Sequence[str]) -> Path:
    text = "\0".join([str(FORMAT), os.path.realpath(folder), *key])
    return cache_folder("index") / f"{hashlib.sha256(os.fsencode(text)).hexdigest()[:24]}.index"
