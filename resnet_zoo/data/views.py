"""Views of an image for testing: other crops than the central one, mirror images, whole images at several sizes.

A view replaces what a data set does in evaluation, for image files. It is set as ``ImageDataModule.view``, one at a
time; whoever averages over views makes a pass through the split for each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from resnet_zoo.data.crops import Box, Crop, Interpolation, short_side_size, whole
from resnet_zoo.data.decode import decode_crop
from resnet_zoo.data.index import ImageIndex
from resnet_zoo.data.pipelines import in_proportion
from resnet_zoo.data.sources import FileImages, ImageSource
from resnet_zoo.data.stores import ImageStore
from resnet_zoo.data.transforms import CenterCrop, Cropping
from resnet_zoo.errors import InvalidValue

PAPER_SCALES = (224, 256, 384, 480, 640)
"""Shorter sides of the fully convolutional test of He et al. 2015 (arXiv:1512.03385, section 3.4)."""

_BATCH_OF_ONE = 1  # images of different sizes cannot share a batch


@dataclass(frozen=True)
class CornerCrop(Cropping):
    """Shorter side to ``short_side``, then the square in one of the corners of the whole image."""

    size: int
    short_side: int
    bottom: bool
    right: bool
    interpolation: Interpolation = "bilinear"

    def crop(self, height: int, width: int, seed: int | None) -> Crop:
        """The square in that corner of the resized image."""
        resized = short_side_size(height, width, self.short_side)
        top, left = (resized[0] - self.size) * self.bottom, (resized[1] - self.size) * self.right
        return Crop(whole(height, width), resized, Box(top, left, self.size, self.size), self.interpolation)


@dataclass(frozen=True)
class WholeImage(Cropping):
    """Shorter side to ``short_side``, and nothing is cut off."""

    short_side: int
    interpolation: Interpolation = "bilinear"

    def crop(self, height: int, width: int, seed: int | None) -> Crop:
        """All of the resized image, (h', w') with min(h', w') = short_side."""
        resized = short_side_size(height, width, self.short_side)
        return Crop(whole(height, width), resized, whole(*resized), self.interpolation)


class WholeImages:
    """A split of image files, each fetched by itself in its own proportions.

    Args:
        index: paths and labels.
        transform: sets the size.
        store: hands out the files' bytes by position.
    """

    def __init__(self, index: ImageIndex, transform: WholeImage, store: ImageStore) -> None:
        self.index = index
        self.transform = transform
        self.store = store

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
            crop = partial(self.transform.crop, seed=None)
            image = decode_crop(self.store.read(position), self.index.path(position), crop).clone()
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
    transform: Cropping | None = None
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
            return WholeImages(source.index, self.transform, source.store)
        transform: Any = self.transform
        return FileImages(source.index, transform, source.store)


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
            at = vertical == "bottom", horizontal == "right"
            corner = CornerCrop(center.size, center.short_side, *at, center.interpolation)
            views.append(View(f"{vertical} {horizontal}", corner))
    return [*views, *(View(f"{view.name} mirrored", view.transform, mirror=True) for view in views)]


def multi_scale_views(scales: Iterable[int], interpolation: Interpolation = "bilinear") -> list[View]:
    """Whole images at several lengths of the shorter side, in pixels, shortest first."""
    return [
        View(f"whole image, shorter side {side}", WholeImage(side, interpolation))
        for side in sorted(set(scales))
    ]


def usual_scales(image_size: int) -> list[int]:
    """The paper's scales, in proportion for images of another size than its 224 pixels."""
    return [in_proportion(side, image_size) for side in PAPER_SCALES]
