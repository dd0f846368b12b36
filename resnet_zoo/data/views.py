"""Views of an image for testing: other crops than the central one, mirror images, whole images at several sizes.

A view replaces what a data set does in evaluation, for image files. It is set as ``ImageDataModule.view``, one at a
time; whoever averages over views makes a pass through the split for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from resnet_zoo.data.decode import decode_file
from resnet_zoo.data.index import ImageIndex
from resnet_zoo.data.pipelines import in_proportion
from resnet_zoo.data.sources import FileImages, ImageSource
from resnet_zoo.data.transforms import Box, CenterCrop, crop, resize_short_side
from resnet_zoo.errors import InvalidValue

PAPER_SCALES = (224, 256, 384, 480, 640)
"""Shorter sides of the fully convolutional test of He et al. 2015 (arXiv:1512.03385, section 3.4)."""

_BATCH_OF_ONE = 1  # images of different sizes cannot share a batch


@dataclass(frozen=True)
class CornerCrop:
    """Shorter side to ``short_side``, then the square in one of the corners of the whole image."""

    size: int
    short_side: int
    bottom: bool
    right: bool

    def __call__(self, image: Tensor, seed: int | None) -> Tensor:
        """uint8 (3, h, w) to uint8 (3, size, size)."""
        image = resize_short_side(image, self.short_side)
        height, width = image.shape[1:]
        top, left = (height - self.size) * self.bottom, (width - self.size) * self.right
        return crop(image, Box(top, left, self.size, self.size))


@dataclass(frozen=True)
class WholeImage:
    """Shorter side to ``short_side``, and nothing is cut off."""

    short_side: int

    def __call__(self, image: Tensor, seed: int | None) -> Tensor:
        """uint8 (3, h, w) to uint8 (3, h', w') with min(h', w') = short_side."""
        return resize_short_side(image, self.short_side)


class WholeImages:
    """A split of image files, each fetched by itself in its own proportions.

    Args:
        index: paths and labels.
        transform: sets the size.
    """

    def __init__(self, index: ImageIndex, transform: WholeImage) -> None:
        self.index = index
        self.transform = transform

    @property
    def labels(self) -> Tensor:
        """int64 (n,), on the CPU."""
        return torch.from_numpy(self.index.labels).long()

    def fetch(self, positions: Tensor, seeds: Tensor | None) -> Tensor:
        """uint8 (1, 3, h, w), channels-last, of the one image asked for; a blank square at position -1.

        Raises:
            UnreadableImage: the file cannot be decoded.
        """
        (position,) = positions.tolist()
        if position < 0:
            side = self.transform.short_side
            image = torch.zeros(3, side, side, dtype=torch.uint8)
        else:
            image = self.transform(decode_file(self.index.path(position)), None)
        return image.unsqueeze(0).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class View:
    """One way to look at every image of a split in evaluation.

    Attributes:
        name: in words, for result files and progress.
        transform: what takes the place of the data set's central crop; None leaves it.
        mirror: whether the images are mirrored, on the device.
    """

    name: str
    transform: Callable[[Tensor, int | None], Tensor] | None = None
    mirror: bool = False

    def batch_size(self, usual: int) -> int:
        """Images per batch: as usual, but one at a time where each has a size of its own."""
        return _BATCH_OF_ONE if isinstance(self.transform, WholeImage) else usual

    def of(self, source: ImageSource) -> ImageSource:
        """The same images, seen this way.

        Raises:
            InvalidValue: the source has no image files that could be cropped otherwise.
        """
        if self.transform is None:
            return source
        if not isinstance(source, FileImages):
            raise InvalidValue(
                f"view {self.name!r} needs image files; {type(source).__name__} has no others than its own."
            )
        if isinstance(self.transform, WholeImage):
            return WholeImages(source.index, self.transform)
        transform: Any = self.transform
        return FileImages(source.index, transform)


CENTER = View("center")


def ten_crop_views(center: CenterCrop) -> list[View]:
    """The four corners and the centre, and their mirror images (Krizhevsky et al. 2012, section 4.1).

    The corners are those of the whole resized image, as torchvision's ``TenCrop`` takes them.

    Args:
        center: the data set's own evaluation: size of the crop, and the shorter side that it is taken at.
    """
    views = [CENTER]
    for vertical in ("top", "bottom"):
        for horizontal in ("left", "right"):
            corner = CornerCrop(center.size, center.short_side, vertical == "bottom", horizontal == "right")
            views.append(View(f"{vertical} {horizontal}", corner))
    return [*views, *(View(f"{view.name} mirrored", view.transform, mirror=True) for view in views)]


def multi_scale_views(scales: Iterable[int]) -> list[View]:
    """Whole images at several lengths of the shorter side, in pixels, shortest first."""
    return [View(f"whole image, shorter side {side}", WholeImage(side)) for side in sorted(set(scales))]


def usual_scales(image_size: int) -> list[int]:
    """The paper's scales, in proportion for images of another size than its 224 pixels."""
    return [in_proportion(side, image_size) for side in PAPER_SCALES]
