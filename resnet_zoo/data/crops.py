"""Which pixels of an image are wanted and at which size, and the resampling that brings them there.

What becomes of an image is decided from its height and width alone, so that a decoder need not decode more than that.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Box(NamedTuple):
    """A rectangle of pixels."""

    top: int
    left: int
    height: int
    width: int


class Crop(NamedTuple):
    """What becomes of an image: a box of it is resized, and a box of the result is kept.

    Attributes:
        source: in the image.
        resized: height and width that ``source`` is resized to, in pixels.
        kept: in the resized source.
    """

    source: Box
    resized: tuple[int, int]
    kept: Box

    def apply(self, image: Tensor) -> Tensor:
        """The pixels wanted of a whole image: uint8 (3, h, w) to uint8 (3, kept.height, kept.width)."""
        return cut(resize(cut(image, self.source), *self.resized), self.kept)


def cut(image: Tensor, box: Box) -> Tensor:
    """The pixels inside a box, as a view."""
    return image[:, box.top : box.top + box.height, box.left : box.left + box.width]


def resize(image: Tensor, height: int, width: int) -> Tensor:
    """Bilinear with antialiasing, as Pillow and torchvision do it, on uint8; channels-last in memory."""
    if image.shape[1:] == (height, width):
        return image
    # a contiguous channels-last input takes torch's fast path, half again as fast as a view into a larger
    # image
    batch = image.permute(1, 2, 0).contiguous().permute(2, 0, 1).unsqueeze(0)
    resized: Tensor = torch.nn.functional.interpolate(batch, (height, width), mode="bilinear", antialias=True)
    return resized[0]


def whole(height: int, width: int) -> Box:
    """All of an image."""
    return Box(0, 0, height, width)


def short_side_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width of an image resized so that its shorter side has this many pixels, keeping the proportions
    (the longer side rounds down).
    """
    if height <= width:
        return short_side, short_side * width // height
    return short_side * height // width, short_side


def center_box(height: int, width: int, size: int) -> Box:
    """The central square of an image that is at least this large."""
    return Box(round((height - size) / 2), round((width - size) / 2), size, size)
