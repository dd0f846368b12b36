"""Packing a folder of images: planned, checked for room, continued where it stopped, finished in one step."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from resnet_zoo.cores import available_cores
from resnet_zoo.data.array_file import read_arrays, write_arrays
from resnet_zoo.data.index import ImageIndex
from resnet_zoo.data.layout import EVERY_SPLIT, SEE, FolderRoot
from resnet_zoo.data.packed.form import MANIFEST, UNFINISHED, Encoding, Manifest, PackedSplit, Shard
from resnet_zoo.data.packed.root import is_packed
from resnet_zoo.data.packed.shard import TABLE_SUFFIX, encode_file, hash_file, read_table, write_shard
from resnet_zoo.errors import InvalidValue
from resnet_zoo.runs import sweep_unfinished, write_text_atomically

IMAGES_PER_SHARD = 4096
SAMPLES = 32
"""Images that are encoded to estimate the room needed."""
RESERVE = 1.05


class Packing(NamedTuple):
    """What is to be done.

    Attributes:
        source: folder of the images.
        encoding: how they are stored.
        class_names: in the order of the labels.
        indices: by split.
    """

    source: str
    encoding: Encoding
    class_names: tuple[str, ...]
    indices: dict[str, ImageIndex]

    def as_text(self) -> str:
        """What must not change until it is finished."""
        fingerprints = {name: index.fingerprint() for name, index in self.indices.items()}
        plan = {"encoding": asdict(self.encoding), "files_sha256": fingerprints, "shard": IMAGES_PER_SHARD}
        return json.dumps(plan, indent=1) + "\n"

    @property
    def num_images(self) -> int:
        """Images in all splits."""
        return sum(map(len, self.indices.values()))

    def estimated_bytes(self) -> int:
        """Room that the packed form takes, from a few images if they are encoded anew."""
        if self.encoding.short_side is None:
            return sum(index.num_bytes for index in self.indices.values())
        total = 0.0
        for index in self.indices.values():
            chosen = np.unique(np.linspace(0, len(index) - 1, SAMPLES).astype(int)).tolist()
            sizes = [len(encode_file(index, place, self.encoding).content) for place in chosen]
            total += float(np.mean(sizes)) * len(index)
        return int(total)


def plan_packing(source: str, encoding: Encoding) -> Packing:
    """Look through a folder: its splits, or else its class folders.

    Raises:
        InvalidValue, MissingData: it is no such folder.
    """
    if Path(source).is_dir() and is_packed(source):
        raise InvalidValue(
            f"{source!r} is a packed data set already. Pack the folder that it was made of. {SEE}"
        )
    root = FolderRoot("pack", source)
    names = [name for name in EVERY_SPLIT if name in root.split_names()] or [""]
    class_names = root.class_names(names[0])
    for name in names[1:]:
        root.require_same_classes(names[0], class_names, name)
    indices = {name: root.open_split(name, class_names).index for name in names}
    return Packing(source, encoding, tuple(class_names), indices)


def pack(
    packing: Packing, target: Path, report: Callable[[int], Any], threads: int | None = None
) -> Manifest:
    """Write a packed data set, or what is missing of it.

    A shard is there as a whole or not at all, and ``packed.json`` is written last, so that nothing takes a half for the
    whole. A second call with the same source and encoding goes on after the last complete shard.

    Args:
        packing: what to do.
        target: folder to write to; made if it is not there.
        report: is told after every image, or at once for many, how many more are done.
        threads: that encode; by default as many as there are cores.

    Raises:
        InvalidValue: the folder holds something else, or the disk has not enough room.
    """
    source = Path(packing.source).resolve()
    if source in (target.resolve(), *target.resolve().parents):
        raise InvalidValue(
            f"'{target}' lies in the images to be packed, '{packing.source}'. Give a folder elsewhere."
        )
    plan = packing.as_text()
    finished = _begin_or_continue(packing, target, plan)
    if finished is not None:
        report(packing.num_images)
        return finished
    splits = {}
    for name, index in packing.indices.items():
        shards = [
            _complete(target, index, name, first, packing.encoding, report, threads or available_cores())
            for first in range(0, len(index), IMAGES_PER_SHARD)
        ]
        splits[name] = _finish_split(target, name, index, shards)
    manifest = Manifest(packing.encoding, packing.class_names, splits)
    write_text_atomically(target / MANIFEST, manifest.as_text())
    for path in (*target.glob(f"*{TABLE_SUFFIX}"), target / UNFINISHED):
        path.unlink()
    return manifest


def _begin_or_continue(packing: Packing, target: Path, plan: str) -> Manifest | None:
    """Make sure that the folder is new or holds a part of the same; the whole is returned if it is there."""
    if target.exists() and not target.is_dir():
        raise InvalidValue(f"'{target}' is a file. Give a folder that is empty or not there yet.")
    for name in (MANIFEST, UNFINISHED):
        if (target / name).is_file():
            if name == MANIFEST:
                return _same_already(packing, target)
            if (target / name).read_text(encoding="utf-8") != plan:
                raise InvalidValue(
                    f"'{target}' holds an unfinished packed data set of other images or with other options than "
                    f"{packing.source!r} with {_options(packing.encoding)}. Give the command it was begun with, or "
                    "another folder."
                )
            sweep_unfinished(target)
            return None
    if target.is_dir() and any(target.iterdir()):
        raise InvalidValue(f"'{target}' is not empty. Give a folder that is empty or not there yet.")
    place = next(path for path in (target.resolve(), *target.resolve().parents) if path.is_dir())
    needed, free = int(packing.estimated_bytes() * RESERVE), shutil.disk_usage(place).free
    if needed > free:
        raise InvalidValue(
            f"not enough room in '{place}': {packing.num_images:,} images with {_options(packing.encoding)} take about "
            f"{needed / 1e9:,.1f} GB, {free / 1e9:,.1f} GB are free. Make room, or store them smaller (--short-side)."
        )
    target.mkdir(parents=True, exist_ok=True)
    write_text_atomically(target / UNFINISHED, plan)
    return None


def _same_already(packing: Packing, target: Path) -> Manifest:
    manifest = Manifest.from_text((target / MANIFEST).read_text(encoding="utf-8"), str(target / MANIFEST))
    hashes = {
        name: read_arrays(target / split.index.name).about["files_sha256"]
        for name, split in manifest.splits.items()
    }
    if manifest.encoding != packing.encoding or hashes != json.loads(packing.as_text())["files_sha256"]:
        raise InvalidValue(
            f"'{target}' holds a packed data set of other images or with other options "
            f"({_options(manifest.encoding)}) than {packing.source!r} with {_options(packing.encoding)}. Give another "
            "folder."
        )
    return manifest


def _options(encoding: Encoding) -> str:
    given = ", ".join(f"{name}={value}" for name, value in asdict(encoding).items() if value)
    return given or "the files as they are"


def _complete(
    target: Path,
    index: ImageIndex,
    split: str,
    first: int,
    encoding: Encoding,
    report: Callable[[int], Any],
    threads: int,
) -> Shard:
    """A shard that is there already, or is written now."""
    path = target / f"{split or 'images'}-{first // IMAGES_PER_SHARD:05}.shard"
    positions = range(first, min(first + IMAGES_PER_SHARD, len(index)))
    found = read_table(path)
    if found is not None:
        report(len(positions))
        return found
    return write_shard(path, index, positions, encoding, report, threads)


def _finish_split(target: Path, name: str, index: ImageIndex, shards: list[Shard]) -> PackedSplit:
    """Gather what is known of the shards into the file of arrays that describes the split."""
    tables = [read_arrays((target / shard.name).with_suffix(TABLE_SUFFIX)) for shard in shards]
    sizes = np.concatenate([table.arrays["sizes"] for table in tables])
    ends = np.cumsum(sizes, dtype=np.int64)
    arrays = {
        **index.arrays,
        "sizes": sizes,
        "offsets": ends - sizes,
        "checksums": np.concatenate([table.arrays["checksums"] for table in tables]),
    }
    path = target / f"{name or 'images'}.index"
    write_arrays(path, arrays, {"files_sha256": index.fingerprint()})
    return PackedSplit(
        index=Shard(path.name, path.stat().st_size, hash_file(path)),
        shards=tuple(shards),
        changed=sum(table.about["changed"] for table in tables),
        unreadable=tuple(_names(index, tables)),
    )


def _names(index: ImageIndex, tables: list[Any]) -> Iterator[str]:
    for table in tables:
        yield from (index.name(position) for position in table.about["unreadable"])
