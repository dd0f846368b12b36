"""Which pixels of an image are wanted and at which size, and the resampling that brings them there.

What becomes of an image is decided from its height and width alone, so that a decoder need not decode more than that.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Interpolation = Literal["bilinear", "bicubic"]
"""How pixels of another size are made, always with antialiasing."""

_OPERATORS = {
    "bilinear": torch.ops.aten._upsample_bilinear2d_aa.out,
    "bicubic": torch.ops.aten._upsample_bicubic2d_aa.out,
}
_REACH = {"bilinear": 1, "bicubic": 2}
"""Half the width of the filters, in pixels of the coarser of both sizes."""


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
        interpolation: of the resizing.
    """

    source: Box
    resized: tuple[int, int]
    kept: Box
    interpolation: Interpolation = "bilinear"

    def region(self) -> Box:
        """What has to be decoded: the pixels that those kept are made of, and some to be in step with the rest."""
        rows, columns = self._spans()
        top, left = self.source.top + rows.first, self.source.left + columns.first
        return Box(top, left, rows.length, columns.length)

    def apply_to_region(self, pixels: Tensor, out: Tensor | None = None) -> Tensor:
        """The pixels wanted, from those of the region.

        Args:
            pixels: uint8 (3, h, w), the region's.
            out: uint8 (3, kept.height, kept.width), channels-last in memory, to write them to.

        Returns:
            ``out``; if it is not given, a new tensor or a view of ``pixels``.
        """
        rows, columns = self._spans()
        _, _, height, width = self.source
        _, _, kept_height, kept_width = self.kept
        resample = partial(_resample, interpolation=self.interpolation)
        inside = Box(self.kept.top - rows.skipped, self.kept.left - columns.skipped, kept_height, kept_width)
        if self.resized == (height, width):
            cropped = cut(pixels, inside)
        else:
            size = inside.top + kept_height, inside.left + kept_width
            scales = self.resized[0] / height, self.resized[1] / width
            if out is not None and size == (kept_height, kept_width):
                return resample(pixels, scales, out)
            cropped = cut(resample(pixels, scales, _empty(len(pixels), *size)), inside)
        return cropped if out is None else out.copy_(cropped)

    def apply(self, image: Tensor, out: Tensor | None = None) -> Tensor:
        """The pixels wanted, from a whole image, uint8 (3, h, w); otherwise as ``apply_to_region``."""
        return self.apply_to_region(cut(image, self.region()), out)

    def _spans(self) -> tuple[Span, Span]:
        _, _, height, width = self.source
        top, left, kept_height, kept_width = self.kept
        reach = _REACH[self.interpolation]
        return (
            _needed(height, self.resized[0], top, top + kept_height, reach),
            _needed(width, self.resized[1], left, left + kept_width, reach),
        )


class Span(NamedTuple):
    """A stretch of pixels along one axis of the source.

    Attributes:
        first: pixel of the source.
        length: in pixels of the source.
        skipped: pixels of the resized source that come before it.
    """

    first: int
    length: int
    skipped: int


def _needed(length: int, resized: int, start: int, stop: int, reach: int) -> Span:
    """The stretch out of ``length`` pixels that makes up ``start:stop`` of the ``resized`` pixels they become.

    It begins where a pixel of the source and one of the result begin at the same point, so that resampling it gives the
    very pixels of resampling everything.
    """
    if (start, stop) == (0, resized):
        return Span(0, length, 0)
    scale = length / resized
    support = reach * max(scale, 1.0) + 1  # with a pixel to spare
    low = max(0, int(scale * (start + 0.5) - support))
    high = min(length, int(scale * (stop - 0.5) + support) + 1)
    first = low - low % (length // math.gcd(length, resized))
    return Span(first, high - first, first * resized // length)


def cut(image: Tensor, box: Box) -> Tensor:
    """The pixels inside a box, as a view."""
    return image[:, box.top : box.top + box.height, box.left : box.left + box.width]


def resize(image: Tensor, height: int, width: int) -> Tensor:
    """Bilinear with antialiasing, as Pillow and torchvision do it, on uint8; channels-last in memory."""
    if image.shape[1:] == (height, width):
        return image
    return _resample(
        image,
        (height / image.shape[1], width / image.shape[2]),
        _empty(len(image), height, width),
        interpolation="bilinear",
    )


def _empty(channels: int, height: int, width: int) -> Tensor:
    return torch.empty(height, width, channels, dtype=torch.uint8).permute(2, 0, 1)


def _resample(
    image: Tensor, scales: tuple[float, float], out: Tensor, interpolation: Interpolation
) -> Tensor:
    """Fill ``out`` with the first pixels of an image enlarged by these factors.

    The operator behind ``torch.nn.functional.interpolate``, which takes either size or scales, and gives a result with
    the channels apart in memory: twice as slow, and as much again to bring them together.
    """
    # torch's fast path wants pixels without gaps between the rows
    pixels = image.permute(1, 2, 0).contiguous().permute(2, 0, 1).unsqueeze(0)
    _OPERATORS[interpolation](pixels, out.shape[1:], False, *scales, out=out.unsqueeze(0))
    return out


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
