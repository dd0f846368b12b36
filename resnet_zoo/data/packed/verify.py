"""Looking through a packed data set for what has changed since it was written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from resnet_zoo.data.array_file import DamagedFile
from resnet_zoo.data.layout import SEE
from resnet_zoo.data.packed.form import MANIFEST, Manifest
from resnet_zoo.data.packed.shard import hash_file
from resnet_zoo.errors import MissingData


def verify(
    root: str, begin: Callable[[int], Callable[[int], None]] = lambda total: lambda count: None
) -> Manifest:
    """Read every file of a packed data set and compare it with its checksum.

    Args:
        root: its folder.
        begin: told how many files there are, before they are read; what it returns is told of every one.

    Raises:
        DamagedFile: naming every file that was cut short or altered.
        MissingData: there is no packed data set.
    """
    place = Path(root, MANIFEST)
    if not place.is_file():
        raise MissingData(
            f"{root!r} has no '{MANIFEST}': it is no packed data set, or one that is not finished. {SEE}"
        )
    manifest = Manifest.from_text(place.read_text(encoding="utf-8"), str(place))
    files = [file for split in manifest.splits.values() for file in (split.index, *split.shards)]
    advance = begin(len(files))
    damaged = []
    for file in files:
        path = Path(root, file.name)
        if not path.is_file() or hash_file(path) != file.sha256:
            damaged.append(file.name)
        advance(1)
    if damaged:
        raise DamagedFile(
            f"of the packed data set in {root!r}, {len(damaged)} files were cut short or altered: "
            f"{', '.join(map(repr, damaged))}. Pack the images again."
        )
    return manifest
