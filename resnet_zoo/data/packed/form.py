"""What a packed data set consists of, and how the images in it are encoded.

A folder with ``packed.json``, which describes it; for every split a file of arrays with names, labels, places and
checksums; and shards, in which the images follow each other without anything between them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from resnet_zoo.data.array_file import DamagedFile
from resnet_zoo.errors import InvalidValue

MANIFEST, UNFINISHED = "packed.json", "packing.json"
VERSION = 2
USUAL_QUALITY = 90
BEST_QUALITY = 100


@dataclass(frozen=True)
class Encoding:
    """How images are stored.

    Without a short side every file is stored byte for byte. With one, so is every image whose shorter side is no
    longer; the others are resized to it.

    Args:
        short_side: longest shorter side, in pixels; None for no limit.
        quality: of the JPEG that a resized image becomes, 1 to 100; None for the usual 90.
        raw: store the pixels of every image, not files.

    Raises:
        InvalidValue: a value that is not allowed or would have no effect.
    """

    short_side: int | None = None
    quality: int | None = None
    raw: bool = False

    def __post_init__(self) -> None:
        if self.short_side is not None and self.short_side < 1:
            raise InvalidValue(f"short_side={self.short_side} is not allowed. Use 1 pixel or more, e.g. 256.")
        if self.quality is not None and not 1 <= self.quality <= BEST_QUALITY:
            raise InvalidValue(
                f"quality={self.quality} is not a JPEG quality. Use 1 to {BEST_QUALITY}, e.g. {USUAL_QUALITY}."
            )
        if self.raw and self.quality is not None:
            raise InvalidValue(
                f"quality={self.quality} is of JPEG files, and raw stores pixels. Give one of both."
            )
        if self.short_side is None and (self.raw or self.quality is not None):
            given = "raw" if self.raw else f"quality={self.quality}"
            raise InvalidValue(
                f"{given} goes with a short side, e.g. short_side=256: without one the files stay as they are."
            )


class Shard(NamedTuple):
    """A file of a packed data set, of images if nothing else is said.

    Attributes:
        name: of the file.
        bytes: its size.
        sha256: of its content.
    """

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class PackedSplit:
    """One split.

    Args:
        index: its file of arrays.
        shards: in order.
        changed: how many images are stored otherwise than their files were.
        unreadable: names of images that cannot be decoded and are stored as they were.
    """

    index: Shard
    shards: tuple[Shard, ...]
    changed: int
    unreadable: tuple[str, ...]


@dataclass(frozen=True)
class Manifest:
    """What ``packed.json`` says.

    Args:
        encoding: of the images.
        class_names: in the order of the labels.
        splits: by name; the only split of a folder without splits is "".
    """

    encoding: Encoding
    class_names: tuple[str, ...]
    splits: dict[str, PackedSplit]

    def as_text(self) -> str:
        """The content of ``packed.json``."""
        return json.dumps({"version": VERSION, **asdict(self)}, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_text(cls, text: str, place: str) -> Manifest:
        """What the content of a ``packed.json`` means.

        Raises:
            InvalidValue: it is of another version of this project.
            DamagedFile: it is not such a file.
        """
        try:
            content: dict[str, Any] = json.loads(text)
            version = content["version"]
            if version != VERSION:
                raise InvalidValue(
                    f"'{place}' has version {version} of the packed form; this resnet-zoo reads version {VERSION}. "
                    "Pack the images again, or use the version that packed them."
                )
            splits = {
                name: PackedSplit(
                    **{
                        **split,
                        "index": Shard(*split["index"]),
                        "shards": tuple(Shard(*shard) for shard in split["shards"]),
                        "unreadable": tuple(split["unreadable"]),
                    }
                )
                for name, split in content["splits"].items()
            }
            return cls(Encoding(**content["encoding"]), tuple(content["class_names"]), splits)
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise DamagedFile(
                f"'{place}' is damaged or no description of a packed data set ({error!r})."
            ) from error
