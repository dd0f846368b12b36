"""Looking through a packed data set for what has changed since it was written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from resnet_zoo.data.array_file import DamagedFile
from resnet_zoo.data.layout import SEE
from resnet_zoo.data.packed.form import MANIFEST, Manifest, Shard
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
    manifest = read_manifest(root)
    files = all_files(manifest)
    advance = begin(len(files))
    damaged = []
    for file in files:
        if damage_of(root, file) is not None:
            damaged.append(file.name)
        advance(1)
    if damaged:
        raise DamagedFile(
            f"of the packed data set in {root!r}, {len(damaged)} files were cut short or altered: "
            f"{', '.join(map(repr, damaged))}. Pack the images again."
        )
    return manifest


def read_manifest(root: str) -> Manifest:
    """The description of a packed data set in a folder.

    Raises:
        MissingData: there is none.
        DamagedFile: it cannot be read.
        InvalidValue: it is of another version.
    """
    place = Path(root, MANIFEST)
    if not place.is_file():
        raise MissingData(
            f"{root!r} has no '{MANIFEST}': it is no packed data set, or one that is not finished. {SEE}"
        )
    return Manifest.from_text(place.read_text(encoding="utf-8"), str(place))


def all_files(manifest: Manifest) -> list[Shard]:
    """Every file that belongs to a packed data set, split by split."""
    return [file for split in manifest.splits.values() for file in (split.index, *split.shards)]


def damage_of(root: str, file: Shard, quick: bool = False) -> str | None:
    """What has happened to a file of a packed data set; None if it is as it was written.

    Args:
        root: the folder of the data set.
        file: as it was written down.
        quick: compare its size only.
    """
    path = Path(root, file.name)
    try:
        size = path.stat().st_size
        if size != file.bytes:
            return f"it has {size:,} bytes and should have {file.bytes:,}"
        return None if quick or hash_file(path) == file.sha256 else "its content does not have its checksum"
    except OSError as error:
        return error.strerror or str(error)
