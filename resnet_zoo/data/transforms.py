"""Crop and resize one decoded image, on the CPU, in uint8.

A transform is a small picklable object: ``transform(image, seed)`` with an image uint8 (3, h, w) gives uint8
(3, size, size). Random parameters are drawn from the seed alone. What is cheaper for a whole batch on the
device (flip, colour noise, normalisation) is not done here but in ``augment``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from resnet_zoo.data.random import SampleGenerator


class Box(NamedTuple):
    """A rectangle of pixels."""

    top: int
    left: int
    height: int
    width: int


class Transform(Protocol):
    """Makes images of one size out of images of any."""

    @property
    def size(self) -> int:
        """Height and width of the result, in pixels."""

    def __call__(self, image: Tensor, seed: int | None) -> Tensor:
        """uint8 (3, h, w) to uint8 (3, size, size); the seed is None in evaluation."""


def crop(image: Tensor, box: Box) -> Tensor:
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


def resize_short_side(image: Tensor, short_side: int) -> Tensor:
    """Resize so that the shorter side has this many pixels, keeping the proportions (the longer side rounds
    down).
    """
    height, width = image.shape[1:]
    if height <= width:
        return resize(image, short_side, short_side * width // height)
    return resize(image, short_side * height // width, short_side)


def center_box(height: int, width: int, size: int) -> Box:
    """The central square of an image that is at least this large."""
    return Box(round((height - size) / 2), round((width - size) / 2), size, size)


@dataclass(frozen=True)
class CenterCrop:
    """Evaluation: shorter side to ``short_side``, then the central square (Krizhevsky et al. 2012, section
    5).
    """

    size: int
    short_side: int

    def __call__(self, image: Tensor, seed: int | None) -> Tensor:
        """uint8 (3, h, w) to uint8 (3, size, size)."""
        image = resize_short_side(image, self.short_side)
        return crop(image, center_box(image.shape[1], image.shape[2], self.size))


def random_resized_crop_box(
    height: int,
    width: int,
    generator: SampleGenerator,
    scale: tuple[float, float],
    ratio: tuple[float, float],
) -> Box:
    """A box of random area and proportions, drawn like torchvision's RandomResizedCrop.

    Args:
        height, width: of the image, in pixels.
        generator: where the random numbers come from.
        scale: range of the box's share of the image's area.
        ratio: range of width over height; its logarithm is uniform.

    Returns:
        The box; after ten draws that do not fit, the largest central one within the range of proportions.
    """
    for _ in range(10):
        area = height * width * generator.uniform(*scale)
        proportions = math.exp(generator.uniform(math.log(ratio[0]), math.log(ratio[1])))
        box_width, box_height = round(math.sqrt(area * proportions)), round(math.sqrt(area / proportions))
        if 0 < box_width <= width and 0 < box_height <= height:
            top, left = generator.integer(height - box_height + 1), generator.integer(width - box_width + 1)
            return Box(top, left, box_height, box_width)
    box_width = min(width, round(height * ratio[1]))
    box_height = min(height, round(width / ratio[0]))
    return Box((height - box_height) // 2, (width - box_width) // 2, box_height, box_width)


@dataclass(frozen=True)
class RandomResizedCrop:
    """Training, the modern way: a box of random area and proportions, resized (Szegedy et al. 2014,
    arXiv:1409.4842, 6).
    """

    size: int
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __call__(self, image: Tensor, seed: int | None) -> Tensor:
        """uint8 (3, h, w) to uint8 (3, size, size)."""
        assert seed is not None
        _, height, width = image.shape
        box = random_resized_crop_box(height, width, SampleGenerator(seed), self.scale, self.ratio)
        return resize(crop(image, box), self.size, self.size)


@dataclass(frozen=True)
class ScaleJitter:
    """Training, the papers' way: shorter side to a random length, then a random square.

    VGG (Simonyan and Zisserman 2014, arXiv:1409.1556, section 3.1) draws from [256, 512], ResNet (He et al.
    2015, arXiv:1512.03385, section 3.4) from [256, 480].
    """

    size: int
    short_side: tuple[int, int] = (256, 480)

    def __call__(self, image: Tensor, seed: int | None) -> Tensor:
        """uint8 (3, h, w) to uint8 (3, size, size)."""
        assert seed is not None
        generator = SampleGenerator(seed)
        low, high = self.short_side
        image = resize_short_side(image, low + generator.integer(high - low + 1))
        height, width = image.shape[1:]
        top, left = generator.integer(height - self.size + 1), generator.integer(width - self.size + 1)
        return crop(image, Box(top, left, self.size, self.size))
