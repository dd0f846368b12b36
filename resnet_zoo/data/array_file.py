"""A file of named arrays that is mapped into memory and so shared by all processes that open it.

Layout: eight bytes of magic, the length of a JSON header as a little-endian uint64, the header's SHA-256, the header,
then the arrays, each on a multiple of 64 bytes. The header says where they are and holds the SHA-256 of all that
follows it, so that no byte of the file can change unnoticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resnet_zoo.errors import InvalidValue
from resnet_zoo.runs import replacing

MAGIC = b"rzarrays"
ALIGNMENT = 64
_LENGTH_END = len(MAGIC) + 8
_PREFIX = _LENGTH_END + hashlib.sha256().digest_size


class DamagedFile(InvalidValue):
    """A file that was cut short or altered since it was written."""


class ArrayFile(NamedTuple):
    """What such a file holds.

    Attributes:
        about: what was written beside the arrays: plain types.
        arrays: by name, read-only and mapped from the file.
        sha256: of the arrays.
    """

    about: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    sha256: str


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> None:
    """Write one-dimensional arrays in place of a file, all of it or nothing.

    Args:
        path: of the file; its folder must exist.
        arrays: by name; numbers of any fixed type.
        about: plain types that are kept with them.
    """
    chunks: list[bytes] = []
    places: dict[str, list[Any]] = {}
    position = 0
    for name, array in arrays.items():
        content = array.astype(array.dtype.newbyteorder("<")).tobytes()
        places[name] = [array.dtype.newbyteorder("<").str, len(array), position]
        padding = -len(content) % ALIGNMENT
        chunks += [content, bytes(padding)]
        position += len(content) + padding
    payload = b"".join(chunks)
    header = {"about": dict(about), "arrays": places, "bytes": position}
    header["sha256"] = hashlib.sha256(payload).hexdigest()
    text = json.dumps(header).encode()
    text += b" " * (-(_PREFIX + len(text)) % ALIGNMENT)
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(MAGIC + len(text).to_bytes(8, "little") + hashlib.sha256(text).digest() + text)
        file.write(payload)


def read_arrays(path: Path) -> ArrayFile:
    """Map a file of arrays into memory, after comparing its content with its checksum.

    Raises:
        DamagedFile: it is no such file, or was cut short or altered.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        prefix = file.read(_PREFIX)
        length = int.from_bytes(prefix[len(MAGIC) : _LENGTH_END], "little")
        if not prefix.startswith(MAGIC) or _PREFIX + length > size:
            raise DamagedFile(f"'{path}' is damaged: it does not begin as such a file does.")
        text = file.read(length)
        if hashlib.sha256(text).digest() != prefix[_LENGTH_END:]:
            raise DamagedFile(f"'{path}' is damaged: its header does not have its checksum.")
        header = json.loads(text)
    start = _PREFIX + length
    if size != start + header["bytes"]:
        raise DamagedFile(
            f"'{path}' is damaged: it has {size:,} bytes and should have {start + header['bytes']:,}."
        )
    mapped = np.memmap(path, mode="r") if header["bytes"] else np.zeros(start, np.uint8)
    if hashlib.sha256(mapped[start:].data).hexdigest() != header["sha256"]:
        raise DamagedFile(f"'{path}' is damaged: its content does not have the checksum {header['sha256']}.")
    content = np.asarray(mapped)  # a plain view of the map, without the price of memmap's own slicing
    arrays = {
        name: content[start + place : start + place + count * np.dtype(kind).itemsize].view(kind)
        for name, (kind, count, place) in header["arrays"].items()
    }
    return ArrayFile(header["about"], arrays, header["sha256"])
