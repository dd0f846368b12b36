"""Writes the MATLAB files (level 5) that tests read: structure arrays of text and numbers."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence

_STRUCT, _CHAR, _DOUBLE = 2, 4, 6  # classes of matrices
_INT8, _UINT16, _INT32, _UINT32, _FLOAT64, _MATRIX, _COMPRESSED, _UTF8 = 1, 4, 5, 6, 9, 14, 15, 16
_NAME_LENGTH = 32

Value = str | Sequence[float]


def _element(kind: int, data: bytes) -> bytes:
    if 0 < len(data) <= 4:
        return struct.pack("<HH", kind, len(data)) + data.ljust(4, b"\0")
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def _matrix(name: str, array_class: int, size: int, body: bytes) -> bytes:
    head = _element(_UINT32, struct.pack("<II", array_class, 0)) + _element(
        _INT32, struct.pack("<ii", 1, size)
    )
    return _element(_MATRIX, head + _element(_INT8, name.encode()) + body)


def _value(value: Value) -> bytes:
    if isinstance(value, str):
        return _matrix("", _CHAR, len(value), _element(_UTF8, value.encode()))
    if all(number == int(number) for number in value):  # as MATLAB does, to save room
        body = _element(_UINT16, struct.pack(f"<{len(value)}H", *map(int, value)))
    else:
        body = _element(_FLOAT64, struct.pack(f"<{len(value)}d", *value))
    return _matrix("", _DOUBLE, len(value), body)


def structure_file(name: str, entries: Sequence[Mapping[str, Value]], compressed: bool = True) -> bytes:
    """A file with one structure array; all entries have the same fields."""
    fields = b"".join(field.encode().ljust(_NAME_LENGTH, b"\0") for field in entries[0])
    body = _element(_INT32, struct.pack("<i", _NAME_LENGTH)) + _element(_INT8, fields)
    body += b"".join(_value(value) for entry in entries for value in entry.values())
    matrix = _matrix(name, _STRUCT, len(entries), body)
    if compressed:
        packed = zlib.compress(matrix)
        matrix = struct.pack("<II", _COMPRESSED, len(packed)) + packed
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM" + matrix
