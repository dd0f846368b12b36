"""Structures out of MATLAB's level 5 files, which is how ImageNet's devkit says what its class numbers mean.

Only what such a table needs: structure arrays of text and numbers, compressed or not. After MathWorks' "MAT-File
Format", sections on the level 5 format.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

_HEADER = 128  # bytes of text, version and byte order
_MATRIX, _COMPRESSED, _UTF8 = 14, 15, 16
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXT = {1: "latin-1", 2: "latin-1", 4: "utf-16-le", _UTF8: "utf-8", 17: "utf-16-le"}
_STRUCT_CLASS, _CHAR_CLASS = 2, 4
_NUMERIC_CLASSES = range(6, 16)


def read_structures(content: bytes) -> dict[str, list[dict[str, Any]]]:
    """The structure arrays of a file: by name, one dictionary per entry.

    Args:
        content: of the file.

    Returns:
        Text as str, numbers as lists of float, everything else as None.

    Raises:
        ValueError: it is no such file, or is cut short.
    """
    if content[126:128] != b"IM":
        raise ValueError("not a little-endian MATLAB file of level 5")
    found = {}
    try:
        for kind, data in _elements(content[_HEADER:]):
            if kind == _MATRIX:
                name, value = _matrix(data)
                if isinstance(value, list):
                    found[name] = value
    except (struct.error, zlib.error, IndexError, KeyError, StopIteration) as error:
        raise ValueError(f"damaged MATLAB file: {error}") from error
    return {name: value for name, value in found.items() if value and isinstance(value[0], dict)}


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The parts of a file or of a matrix: type and content."""
    place = 0
    while place + 8 <= len(data):
        kind, size = struct.unpack_from("<II", data, place)
        if kind >> 16:  # up to four bytes, in the place of the size's second half
            kind, size = kind & 0xFFFF, kind >> 16
            yield kind, data[place + 4 : place + 4 + size]
            place += 8
            continue
        content = data[place + 8 : place + 8 + size]
        if len(content) < size:
            raise ValueError("the MATLAB file is cut short")
        if kind == _COMPRESSED:
            yield from _elements(zlib.decompress(content))
            place += 8 + size
        else:
            yield kind, content
            place += 8 + -(-size // 8) * 8


def _matrix(data: bytes) -> tuple[str, Any]:
    """Name and value of a matrix."""
    parts = _elements(data)
    flags = next(parts)[1]
    array_class = flags[0]
    dimensions = np.frombuffer(next(parts)[1], dtype="<i4")
    name = next(parts)[1].decode("latin-1")
    if array_class == _STRUCT_CLASS:
        length = int(np.frombuffer(next(parts)[1], dtype="<i4")[0])
        names = next(parts)[1]
        fields = [
            names[start : start + length].rstrip(b"\0").decode("latin-1")
            for start in range(0, len(names), length)
        ]
        entries = int(dimensions.prod())
        return name, [{field: _matrix(next(parts)[1])[1] for field in fields} for _ in range(entries)]
    if not int(dimensions.prod()):
        return name, "" if array_class == _CHAR_CLASS else []
    if array_class == _CHAR_CLASS:
        kind, content = next(parts)
        return name, content.decode(_TEXT[kind])
    if array_class in _NUMERIC_CLASSES:
        kind, content = next(parts)
        return name, np.frombuffer(content, dtype=np.dtype(_NUMBERS[kind]).newbyteorder("<")).astype(
            float
        ).tolist()
    return name, None
