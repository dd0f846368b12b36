"""ImageNet's archives: which they are, whether they are whole, and the labels that the devkit holds."""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from resnet_zoo.data.imagenet import SYNSET
from resnet_zoo.data.prepare.matlab import read_structures
from resnet_zoo.errors import InvalidValue, MissingData

BLOCK = 1 << 22  # bytes hashed at a time
LARGEST_TABLE = 1 << 26  # bytes; the devkit's tables have less than one million


class Archive(NamedTuple):
    """A published archive.

    Attributes:
        name: of the file.
        md5: of its content.
    """

    name: str
    md5: str


VALIDATION = Archive("ILSVRC2012_img_val.tar", "29b22e2961454d5413ddabcf34fc5622")
DEVKIT = Archive("ILSVRC2012_devkit_t12.tar.gz", "fa75699e90414af021442c21a62c3abf")
"""With the hashes that image-net.org shows beside them, and torchvision checks (``torchvision.datasets.ImageNet``)."""


def verify(path: Path, md5: str, advance: Callable[[int], None] = lambda count: None) -> None:
    """Refuse a file that is not the published one.

    Args:
        path: of the file.
        md5: that it must have.
        advance: told of every few bytes how many they are.

    Raises:
        InvalidValue: it has another hash.
    """
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            advance(len(block))
    if digest.hexdigest() != md5:
        raise InvalidValue(
            f"'{path}' is not the published archive: its MD5 is {digest.hexdigest()}, that of the archive {md5}. The "
            "download is incomplete or another file; fetch it again."
        )


def read_labels(devkit: Path) -> list[str]:
    """The synset of every validation image, in the order of their numbers.

    Raises:
        InvalidValue: the archive does not hold what the devkit holds.
    """
    truth, table = _read_members(devkit, ("ILSVRC2012_validation_ground_truth.txt", "meta.mat"))
    try:
        numbers = [int(line) for line in truth.split()]
        synsets = {
            int(entry["ILSVRC2012_ID"][0]): str(entry["WNID"])
            for entry in read_structures(table)["synsets"]
            if entry["num_children"] == [0.0]
        }
        labels = [synsets[number] for number in numbers]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise InvalidValue(
            f"'{devkit}' does not say which class the images have: {type(error).__name__} {error}. "
            f"Give ImageNet's {DEVKIT.name}."
        ) from error
    if strange := [synset for synset in labels if not SYNSET.fullmatch(synset)]:
        raise InvalidValue(f"'{devkit}' names a class {strange[0]!r}, which is no synset such as n01440764.")
    return labels


def _read_members(archive: Path, names: Sequence[str]) -> list[bytes]:
    """Small members of an archive by their last names, in the order given; nothing is written."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = PurePosixPath(member.name).name
                if name in names and member.isfile() and member.size <= LARGEST_TABLE:
                    file = tar.extractfile(member)
                    assert file is not None
                    found[name] = file.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InvalidValue(f"'{archive}' cannot be read as an archive: {error}.") from error
    if missing := [name for name in names if name not in found]:
        raise InvalidValue(f"'{archive}' has no {missing[0]!r}. Give ImageNet's {DEVKIT.name}.")
    return [found[name] for name in names]


def find_archive(source: Path, archive: Archive) -> Path:
    """An archive that was named itself, or lies in a folder under its own name.

    Raises:
        MissingData: there is none.
    """
    path = source / archive.name if source.is_dir() else source
    if not path.is_file():
        raise MissingData(
            f"'{path}' does not exist. ImageNet's archives come from image-net.org, after a registration: "
            f"{VALIDATION.name} and {DEVKIT.name}."
        )
    return path


IMAGE_NAME = re.compile(r"ILSVRC2012_val_(\d{8})\.JPEG")


def number_of(name: str) -> int:
    """The number of a validation image, from 1.

    Raises:
        InvalidValue: the name is not that of one.
    """
    match = IMAGE_NAME.fullmatch(PurePosixPath(name).name)
    if match is None:
        raise InvalidValue(
            f"{name!r} is not named like an image of ImageNet's validation set (ILSVRC2012_val_00000001.JPEG)."
        )
    return int(match[1])
