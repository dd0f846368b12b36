"""The doctor's look at one image file."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet_zoo.data.decode import UnreadableImage, decode_image

TAIL = 4096  # bytes at the end of a file in which a JPEG's or PNG's end marker must stand
_END_MARKERS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}
_PNG_BIT_DEPTH = 24  # its place in the file (ISO/IEC 15948, 11.2.2)
_EXIF_ORIENTATION = 0x0112
_UPRIGHT = 1


class Examined(NamedTuple):
    """What was seen of a file.

    Attributes:
        findings: kind and detail of everything found.
        digest: 64 bits of a hash of the whole content; None if it was not read or the file is damaged.
    """

    findings: tuple[tuple[str, str], ...] = ()
    digest: int | None = None


def examine_file(path: str, quick: bool = False) -> Examined:
    """Look at one file.

    Args:
        path: of the file.
        quick: read the header and the end only. Damage between them goes unnoticed, and there is no digest.

    Returns:
        What was found; nothing of it is raised.
    """
    try:
        size = Path(path).stat().st_size
        if not size:
            return Examined((("zero_byte", ""),))
        with Path(path).open("rb") as file:
            content = np.fromfile(file, np.uint8, count=0 if quick else -1)
            stream: IO[bytes] = file if quick else io.BytesIO(content.data)
            findings, image_format = _examine_header(stream, path)
            stream.seek(max(0, size - TAIL))
            ends = _END_MARKERS.get(image_format, b"") in stream.read()
    except OSError as error:
        return Examined((("unreadable", error.strerror or str(error)),))
    damaged = [finding for finding in findings if finding[0] in ("unreadable", "bomb")]
    if quick:
        if not ends and not damaged:
            findings.insert(0, ("truncated", f"no end marker of {image_format} in the last {TAIL:,} bytes"))
        return Examined(tuple(findings))
    if damaged and damaged[0][0] == "bomb":  # which is not decoded to see whether the memory holds it
        return Examined(tuple(findings))
    damage = _why_not_decoded(content, path, ends)
    findings = damage + [finding for finding in findings if finding not in damaged]
    if damage:
        return Examined(tuple(findings))
    digest = hashlib.blake2b(content.data, digest_size=8).digest()
    return Examined(tuple(findings), int.from_bytes(digest, "little"))


def _why_not_decoded(content: NDArray[np.uint8], path: str, ends: bool) -> list[tuple[str, str]]:
    """Decode as a training does; nothing if that works."""
    try:
        decode_image(content, path)
    except UnreadableImage as error:
        cut = not ends or "truncated" in error.cause.lower()
        return [("truncated" if cut else "unreadable", error.cause)]
    return []


def _examine_header(stream: IO[bytes], path: str) -> tuple[list[tuple[str, str]], str]:
    """What the header says, and the format."""
    bit_depth = stream.read(_PNG_BIT_DEPTH + 1)[_PNG_BIT_DEPTH:]
    stream.seek(0)
    try:
        with Image.open(stream) as image:
            # Pillow cuts 16 bits of a PNG to 8 without a word where there are colours
            is_deep = image.format == "PNG" and bit_depth == bytes([16])
            return _examine_image(image, path, is_deep), image.format or ""
    except Image.DecompressionBombError as error:
        return [("bomb", str(error).partition(" pixels")[0].removeprefix("Image size (") + " pixels")], ""
    except Exception as error:  # header parsers raise nearly anything on damaged input
        cause = "not an image of a known format" if "cannot identify" in str(error) else str(error)
        return [("unreadable", cause or type(error).__name__)], ""


def _examine_image(image: Image.Image, path: str, is_deep: bool) -> list[tuple[str, str]]:
    found = []
    image_format = image.format or ""
    named = Image.registered_extensions().get(Path(path).suffix.lower())
    if named and named != image_format and not (named == "JPEG" and image_format == "MPO"):
        found.append(("misnamed", f"{image_format} in the name of a {named}"))
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        found.append(("large", f"{image.width}x{image.height} pixels"))
    if image.mode == "CMYK":
        found.append(("cmyk", ""))
    if image.mode.startswith("I") or image.mode == "F" or is_deep:
        found.append(("sixteen_bit", f"mode {image.mode}"))
    if image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I"):
        found.append(("greyscale", ""))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        found.append(("transparent", ""))
    if getattr(image, "is_animated", False) and image_format != "MPO":
        found.append(("animated", ""))
    # Pillow would decode a PNG to look for EXIF behind its pixels
    exif = image.getexif() if image_format != "PNG" or "exif" in image.info else {}
    orientation = exif.get(_EXIF_ORIENTATION, _UPRIGHT)
    if isinstance(orientation, int) and _UPRIGHT < orientation <= 8:
        found.append(("rotated", f"EXIF orientation {orientation}"))
    return found
