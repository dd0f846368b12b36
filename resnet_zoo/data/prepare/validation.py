"""ImageNet's validation images, which come in one heap, sorted into class folders."""

from __future__ import annotations

import shutil
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from resnet_zoo.data.prepare.archives import (
    DEVKIT,
    VALIDATION,
    find_archive,
    number_of,
    read_labels,
    verify,
)
from resnet_zoo.errors import InvalidValue, MissingData

UNFINISHED = ".part"
ROOM = 1.02  # the images' bytes, and what a file system adds to them
Progress = Callable[[str, int], Callable[[int], None]]
"""Told what is counted and up to where; what it returns is told of every few."""


class Prepared(NamedTuple):
    """What was done.

    Attributes:
        folder: with the class folders.
        images: in all.
        classes: number of class folders.
        written: images written now; the others were there.
        verified: whether the images' archive was compared with its published hash.
    """

    folder: Path
    images: int
    classes: int
    written: int
    verified: bool


class _Image(NamedTuple):
    name: str
    size: int
    read: Callable[[], bytes]


def prepare_validation(
    source: str,
    destination: str,
    devkit: str | None = None,
    progress: Progress = lambda what, total: lambda n: None,
) -> Prepared:
    """Sort the validation images into ``destination/val/<synset>/``.

    Archives are read and never unpacked: of a member nothing but its last name is used, and that must be an image's.
    A file is written under another name and renamed when it is whole, so that a second call goes on where the
    first was interrupted.

    Args:
        source: the images' archive, a folder with it, or a folder with the images themselves.
        destination: the root that gets the folder "val".
        devkit: the archive with the labels; None looks for it beside the images.
        progress: see ``Progress``.

    Raises:
        MissingData: an archive is not there.
        InvalidValue: an archive is not the published one; images are missing; something else is in the destination;
            there is no room.
    """
    place = Path(source)
    if not place.exists():
        raise MissingData(f"'{place}' does not exist. Give {VALIDATION.name}, or a folder with it.")
    beside = place if place.is_dir() else place.parent
    labels_from = find_archive(Path(devkit) if devkit else beside, DEVKIT)
    loose = place.is_dir() and not (place / VALIDATION.name).exists()
    images_from = place if loose else find_archive(place, VALIDATION)
    verify(labels_from, DEVKIT.md5)
    labels = read_labels(labels_from)
    if not loose:
        verify(images_from, VALIDATION.md5, progress("bytes verified", images_from.stat().st_size))
    folder = Path(destination) / "val"
    _refuse_others(folder, set(labels))
    _check_room(images_from, folder)
    images = _loose_images(images_from) if loose else _images_of_archive(images_from)
    written = _write_images(images, labels, folder, progress("images", len(labels)))
    return Prepared(folder, len(labels), len(set(labels)), written, not loose)


def _images_of_archive(archive: Path) -> Iterator[_Image]:
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isdir():
                continue
            file = tar.extractfile(member) if member.isfile() else None
            if file is None:
                raise InvalidValue(
                    f"'{archive}' holds {member.name!r}, which is a link or device, not an image."
                )
            yield _Image(member.name, member.size, file.read)


def _loose_images(folder: Path) -> Iterator[_Image]:
    for path in sorted(folder.glob("*.JPEG")):
        yield _Image(path.name, path.stat().st_size, path.read_bytes)


def _write_images(
    images: Iterator[_Image], labels: list[str], folder: Path, advance: Callable[[int], None]
) -> int:
    """Write what is not there; every number from 1 on must come exactly once."""
    seen: Counter[int] = Counter()
    written = 0
    for image in images:
        number = number_of(image.name)
        if not 1 <= number <= len(labels):
            raise InvalidValue(f"{image.name!r} has no label: the devkit knows {len(labels):,} images.")
        seen[number] += 1
        path = folder / labels[number - 1] / Path(image.name).name
        if not (path.is_file() and path.stat().st_size == image.size):
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(path.name + UNFINISHED)
            unfinished.write_bytes(image.read())
            unfinished.replace(path)
            written += 1
        advance(1)
    missing = [number for number in range(1, len(labels) + 1) if not seen[number]]
    if missing or len(seen) < seen.total():
        raise InvalidValue(
            f"{len(missing):,} of {len(labels):,} images are missing (the first is number {(missing or [0])[0]}), "
            f"{seen.total() - len(seen):,} come twice. Sort the whole set."
        )
    return written


def _refuse_others(folder: Path, synsets: set[str]) -> None:
    if folder.exists() and (
        strange := sorted(entry.name for entry in folder.iterdir() if entry.name not in synsets)
    ):
        raise InvalidValue(
            f"'{folder}' holds {strange[0]!r}, which is no class folder of ImageNet. Choose another destination, or "
            "move it away."
        )


def _check_room(images: Path, folder: Path) -> None:
    """Refuse before anything is written if the images do not fit beside those that are there."""
    size = images.stat().st_size if images.is_file() else sum(p.stat().st_size for p in images.glob("*.JPEG"))
    there = sum(path.stat().st_size for path in folder.rglob("*.JPEG")) if folder.exists() else 0
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if (needed := int((size - there) * ROOM)) > free:
        raise InvalidValue(
            f"'{folder}' needs {needed / 1e9:,.2f} GB more and its disk has {free / 1e9:,.2f} GB free. Choose another "
            "destination, or make room."
        )
