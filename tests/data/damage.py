"""Image files that are damaged or odd in every way that a data set was ever seen to be."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from tests.data.pictures import encoded, picture


def _png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_of(width: int, height: int) -> bytes:
    """A greyscale PNG that claims so many pixels and holds none of them."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _png_chunk(b"IHDR", header)
        + _png_chunk(b"IDAT", zlib.compress(b""))
        + _png_chunk(b"IEND", b"")
    )


def unreadable_files() -> dict[str, bytes]:
    """Eight files that no training can read, by what is wrong with them."""
    jpeg, png = encoded(picture(1), quality=95), encoded(picture(2), "PNG")
    return {
        "empty.jpg": b"",
        "cut_in_half.jpg": jpeg[: len(jpeg) // 2],
        "cut_header.jpg": jpeg[:20],
        "cut.png": png[: len(png) // 2],
        "text.jpg": b"<html>404 not found</html>",
        "zeros.jpg": bytes(2000),
        "no_image_data.png": png_of(40, 48),
        "other_bytes.jpg": jpeg[:2] + bytes(range(256)) * 8,
    }


def rotated() -> bytes:
    """A JPEG whose EXIF asks for a quarter turn."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(picture(3), exif=exif.tobytes())


def odd_files() -> dict[str, tuple[str, bytes]]:
    """Files that can be read and are worth a word: the doctor's kind, and the content."""
    sixteen_bits = np.full((40, 48), 40000, dtype=np.uint16)
    return {
        "cmyk.jpg": ("cmyk", encoded(picture(4).convert("CMYK"))),
        "is_a_png.JPEG": ("misnamed", encoded(picture(5), "PNG")),
        "grey.jpg": ("greyscale", encoded(picture(6).convert("L"))),
        "deep.png": ("sixteen_bit", encoded(Image.fromarray(sixteen_bits), "PNG")),
        "lying.jpg": ("rotated", rotated()),
        "clear.png": ("transparent", encoded(picture(7).convert("RGBA"), "PNG")),
    }


def write_into(folder: Path, files: dict[str, bytes]) -> None:
    """Write files of these names."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
