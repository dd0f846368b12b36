"""The header of a JPEG, read strictly: size, and whether it is as plain as nearly all photographs are.

libjpeg ends the process at a fatal error unless C code catches it. In a plain image all that can be fatal is in the
header (ITU-T T.81, annex B), and this module accepts none of it: segments of the wrong length, tables that are no
Huffman code, missing tables, components that do not fit together. What is wrong with the data behind it makes libjpeg
warn, and go on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_SOI, _SOS, _DQT, _DHT, _DRI, _COM = 0xD8, 0xDA, 0xDB, 0xC4, 0xDD, 0xFE
_SEQUENTIAL = (0xC0, 0xC1)
_OTHER_FRAMES = (0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
_LUMA_SAMPLING = (0x11, 0x21, 0x12, 0x22)  # of the first component; the others are 1 x 1
_MAXIMUM_SIDE = 65500  # libjpeg's JPEG_MAX_DIMENSION
_SCAN_PARAMETERS = b"\x00\x3f\x00"  # of a sequential image: all coefficients, full precision
_END, _USUAL_TAIL = b"\xff\xd9", 64


class JpegHeader(NamedTuple):
    """What the header of a JPEG says.

    Attributes:
        height, width: in pixels.
        complete: whether the mark of its end comes after the header; not so in a file that was cut short, with or
            without zeros in place of the rest.
        plain: one sequential scan of three 8-bit components in the usual proportions, and every table in order:
            nothing in it is fatal to libjpeg.
        rows_at_once: rows that share their chroma, which libjpeg hands out together.
    """

    height: int
    width: int
    complete: bool
    plain: bool
    rows_at_once: int = 1


class _Malformed(Exception):
    """Not as the standard wants it."""


def read_jpeg_header(encoded: NDArray[np.uint8]) -> JpegHeader | None:
    """What the header of a JPEG says; None if it is none, or malformed before its size is known.

    Args:
        encoded: uint8 (n,), what a file would hold.
    """
    reader = _Reader(encoded.data)
    with contextlib.suppress(_Malformed, IndexError):
        reader.read()
    if not reader.height or not reader.width:
        return None
    complete = _has_end(encoded, reader.end)
    return JpegHeader(reader.height, reader.width, complete, reader.plain, reader.rows_at_once)


def _has_end(encoded: NDArray[np.uint8], start: int) -> bool:
    """Whether there is an end-of-image marker; usually in the last bytes, but some software writes its own after it."""
    return any(_END in encoded[begin:].tobytes() for begin in (max(start, len(encoded) - _USUAL_TAIL), start))


class _Reader:
    """Goes through the segments up to the first scan."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self.height = self.width = 0
        self.end = 0  # of the header
        self.plain = False
        self._components: bytes = b""
        self._quantization: set[int] = set()
        self._huffman: set[int] = set()

    def read(self) -> None:
        view = self._view
        if view[0] != 0xFF or view[1] != _SOI:
            raise _Malformed
        position = 2
        while True:
            if view[position] != 0xFF:
                raise _Malformed
            marker = view[position + 1]
            if marker == 0xFF:  # fill byte
                position += 1
                continue
            length = view[position + 2] << 8 | view[position + 3]
            start, position = position + 4, position + 2 + length
            self.end = min(position, len(view))
            if length < 2 or position > len(view):
                raise _Malformed
            if 0xE0 <= marker <= 0xEF or marker == _COM:
                continue
            segment = bytes(view[start:position])
            if marker == _SOS:
                self.plain = self._is_plain_scan(segment)
                return
            self._take(marker, segment)

    @property
    def rows_at_once(self) -> int:
        """The first component's vertical sampling."""
        return self._components[1] & 15 if self.plain else 1

    def _take(self, marker: int, segment: bytes) -> None:
        if marker == _DQT:
            self._quantization.update(_quantization_tables(segment))
        elif marker == _DHT:
            self._huffman.update(_huffman_tables(segment))
        elif marker in _SEQUENTIAL or marker in _OTHER_FRAMES:
            if self.height or len(segment) < 6:
                raise _Malformed
            self.height, self.width = segment[1] << 8 | segment[2], segment[3] << 8 | segment[4]
            self._components = segment[6:] if marker in _SEQUENTIAL else b""
            if segment[0] != 8 or segment[5] != 3 or len(segment) != 15:
                self._components = b""
        elif marker != _DRI or len(segment) != 2:
            raise _Malformed

    def _is_plain_scan(self, scan: bytes) -> bool:
        if not self._components or max(self.height, self.width) > _MAXIMUM_SIDE:
            return False
        identifiers, sampling, tables = (self._components[first::3] for first in range(3))
        if len(set(identifiers)) != 3 or sampling[0] not in _LUMA_SAMPLING or sampling[1:] != b"\x11\x11":
            return False
        if not self._quantization.issuperset(tables):
            return False
        if len(scan) != 10 or scan[0] != 3 or scan[1:7:2] != identifiers or scan[7:] != _SCAN_PARAMETERS:
            return False
        wanted = {table >> 4 for table in scan[2:7:2]} | {0x10 | (table & 15) for table in scan[2:7:2]}
        return self._huffman.issuperset(wanted)


@lru_cache(maxsize=256)  # most photographs share a handful of tables
def _quantization_tables(segment: bytes) -> frozenset[int]:
    """Numbers of the quantisation tables in a segment."""
    found, position = set(), 0
    while position < len(segment):
        precision, number = segment[position] >> 4, segment[position] & 15
        if precision > 1 or number > 3:
            raise _Malformed
        found.add(number)
        position += 1 + 64 * (1 + precision)
    if position != len(segment):
        raise _Malformed
    return frozenset(found)


@lru_cache(maxsize=256)
def _huffman_tables(segment: bytes) -> frozenset[int]:
    """Numbers of the Huffman tables in a segment, 16 added to those for AC coefficients."""
    found, position = set(), 0
    while position < len(segment):
        table, counts = segment[position], segment[position + 1 : position + 17]
        total = sum(counts)
        symbols = segment[position + 17 : position + 17 + total]
        position += 17 + total
        if table & 0xEC or len(counts) != 16 or total > 256 or position > len(segment):
            raise _Malformed
        if not _is_code(counts) or (table < 16 and max(symbols, default=0) > 15):
            raise _Malformed
        found.add(table)
    return frozenset(found)


def _is_code(counts: Sequence[int]) -> bool:
    """Whether there is a prefix code with so many words of 1, 2, ..., 16 bits, none of them all ones."""
    code = 0
    for bits, count in enumerate(counts, start=1):
        code = (code << 1) + count
        if count and code >= 1 << bits:
            return False
    return True
