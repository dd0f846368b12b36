"""One image on its way into a packed data set."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet_zoo.data.crops import resize, short_side_size
from resnet_zoo.data.decode import UnreadableImage, decode_image
from resnet_zoo.data.packed.form import USUAL_QUALITY, Encoding

_PIXMAP = b"P6\n%d %d\n255\n"
"""The header of a binary portable pixmap: width and height; the pixels follow."""


class Encoded(NamedTuple):
    """An image as it is stored.

    Attributes:
        content: the bytes.
        changed: whether they are others than those of the file.
        readable: whether the image can be decoded.
    """

    content: bytes
    changed: bool
    readable: bool


def encode(content: NDArray[np.uint8], path: str, encoding: Encoding) -> Encoded:
    """Bring an image into the form in which it is stored.

    Resizing is bilinear with antialiasing, the same function that resizes images for evaluation: pixels stored raw at a
    shorter side of 256 are exactly those of which evaluation on the original files crops the centre. Every image is
    decoded, those that stay as they are too, to know whether they can be.

    Args:
        content: uint8 (n,), of the file.
        path: of the file.
        encoding: how it is to be stored.
    """
    try:
        pixels = decode_image(content, path)
    except UnreadableImage:
        return Encoded(content.tobytes(), changed=False, readable=False)
    height, width = pixels.shape[1:]
    too_large = encoding.short_side is not None and min(height, width) > encoding.short_side
    if not too_large and not encoding.raw:
        return Encoded(content.tobytes(), changed=False, readable=True)
    if too_large:
        assert encoding.short_side is not None
        height, width = short_side_size(height, width, encoding.short_side)
        pixels = resize(pixels, height, width)
    rows = np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())
    if encoding.raw:
        return Encoded(_PIXMAP % (width, height) + rows.tobytes(), changed=True, readable=True)
    buffer = io.BytesIO()
    Image.fromarray(rows).save(buffer, "JPEG", quality=encoding.quality or USUAL_QUALITY)
    return Encoded(buffer.getvalue(), changed=True, readable=True)


def pixels_of(content: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pixels (h, w, 3) of an image that was stored raw, as a view; one that could not be decoded stays as it is."""
    start = content[:32].tobytes()
    parts = start.split(b"\n", 3)
    if len(parts) == 4 and parts[0] == b"P6":
        width, height = map(int, parts[1].split())
        header = len(_PIXMAP % (width, height))
        if len(content) == header + width * height * 3:
            return content[header:].reshape(height, width, 3)
    return content
