"""Walking through folders of images: what lies where, when a folder changed, how large files are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from resnet_zoo.data.decode import is_image_name
from resnet_zoo.errors import InvalidValue, MissingData


class Folder(NamedTuple):
    """A folder with the images directly inside.

    Attributes:
        inside: its path relative to where the walk began, "" for that folder itself.
        names: of the image files, sorted.
        changed: when its list of names last changed, in nanoseconds, as it was before it was read.
    """

    inside: str
    names: list[str]
    changed: int


def folders_below(folder: str) -> list[Folder]:
    """A folder and all below it, by path, without hidden ones.

    Links are followed, to files and to folders: a choice of a larger data set is often made of them.

    Raises:
        InvalidValue: a link leads back to a folder that it lies in.
        MissingData: a folder cannot be read.
    """
    return sorted(_walk(folder, ""))


def _walk(folder: str, inside: str) -> Iterator[Folder]:
    place = below(folder, inside)
    names: list[str] = []
    folders: list[str] = []
    try:
        changed = changed_at(place)
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.is_dir():
                    folders.append(entry.name)
                elif is_image_name(entry.name):
                    names.append(entry.name)
    except OSError as error:
        raise MissingData(f"cannot list the folder '{place}': {error.strerror or error}.") from error
    yield Folder(inside, sorted(names), changed)
    for name in folders:
        if not name.startswith("."):
            _refuse_circles(Path(place, name))
            yield from _walk(folder, below(inside, name))


def _refuse_circles(path: Path) -> None:
    """A link in circles is an error, and not the same images forty times."""
    if path.is_symlink() and path.parent.resolve().is_relative_to(path.resolve()):
        raise InvalidValue(
            f"the link '{path}' leads back to '{path.resolve()}', which it lies in, so that its images would "
            "be found again and again. Remove the link."
        )


def below(folder: str, name: str) -> str:
    """Path of something in a folder; either may be empty."""
    return f"{folder}{os.sep}{name}" if folder and name else folder or name


def changed_at(folder: str) -> int:
    """When the list of names in a folder last changed, in nanoseconds: adding, removing and renaming changes it,
    writing into a file that is there does not.

    Raises:
        OSError: it is not there.
    """
    return os.stat(folder).st_mtime_ns  # noqa: PTH116 - asked for every folder at every start


def sizes_of(folder: str, names: Sequence[str] | Sequence[bytes]) -> list[int]:
    """Sizes of files in a folder, in bytes; 0 for one that is not there, such as a link that leads nowhere.

    Raises:
        OSError: the folder cannot be opened.
    """
    if not names:
        return []
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        return [_size(name, descriptor) for name in names]
    finally:
        os.close(descriptor)


def _size(name: str | bytes, folder: int) -> int:
    try:
        return os.stat(name, dir_fd=folder).st_size
    except OSError:
        return 0
