"""The crops of training and evaluation, one image at a time, in uint8.

A transform is a small picklable object. ``transform.crop(height, width, seed)`` says what becomes of an image of that
size, before it is decoded; ``transform(image, seed)`` does it to one that is. Random parameters are drawn from the seed
alone. What is cheaper for a whole batch on the device (flip, colour noise, normalisation) is not done here but in
``augment``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Protocol

from torch import Tensor

from resnet_zoo.data.crops import Box, Crop, Interpolation, center_box, short_side_size, whole
from resnet_zoo.data.random import SampleGenerator


class Transform(Protocol):
    """Makes images of one size out of images of any."""

    @property
    def size(self) -> int:
        """Height and width of the result, in pixels."""

    def crop(self, height: int, width: int, seed: int | None) -> Crop:
        """What becomes of an image of this height and width, in pixels; the seed is None in evaluation."""

    def __call__(self, image: Tensor, seed: int | None) -> Tensor:
        """uint8 (3, h, w) to uint8 (3, size, size)."""

    def at_size(self, size: int) -> Transform:
        """The same for results of another size; all lengths in pixels change in proportion."""


class Cropping(ABC):
    """A transform that is done with its crop."""

    @abstractmethod
    def crop(self, height: int, width: int, seed: int | None) -> Crop:
        """What becomes of an image of this height and width, in pixels; the seed is None in evaluation."""

    def __call__(self, image: Tensor, seed: int | None) -> Tensor:
        """uint8 (3, h, w) to what the crop makes of it."""
        return self.crop(image.shape[1], image.shape[2], seed).apply(image)


@dataclass(frozen=True)
class CenterCrop(Cropping):
    """Evaluation: shorter side to ``short_side``, then the central square (Krizhevsky et al. 2012, section
    5).
    """

    size: int
    short_side: int
    interpolation: Interpolation = "bilinear"

    def at_size(self, size: int) -> CenterCrop:
        """The same share of the image, as another number of pixels."""
        return replace(self, size=size, short_side=round(self.short_side * size / self.size))

    def crop(self, height: int, width: int, seed: int | None) -> Crop:
        """The central square of the resized image."""
        resized = short_side_size(height, width, self.short_side)
        return Crop(whole(height, width), resized, center_box(*resized, self.size), self.interpolation)


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
class RandomResizedCrop(Cropping):
    """Training, the modern way: a box of random area and proportions, resized (Szegedy et al. 2014,
    arXiv:1409.4842, 6).
    """

    size: int
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    interpolation: Interpolation = "bilinear"

    def at_size(self, size: int) -> RandomResizedCrop:
        """The same boxes, resized to another number of pixels."""
        return replace(self, size=size)

    def crop(self, height: int, width: int, seed: int | None) -> Crop:
        """A random box, resized."""
        assert seed is not None
        box = random_resized_crop_box(height, width, SampleGenerator(seed), self.scale, self.ratio)
        return Crop(box, (self.size, self.size), whole(self.size, self.size), self.interpolation)


@dataclass(frozen=True)
class ScaleJitter(Cropping):
    """Training, the papers' way: shorter side to a random length, then a random square.

    VGG (Simonyan and Zisserman 2014, arXiv:1409.1556, section 3.1) draws from [256, 512], ResNet (He et al.
    2015, arXiv:1512.03385, section 3.4) from [256, 480].
    """

    size: int
    short_side: tuple[int, int] = (256, 480)
    interpolation: Interpolation = "bilinear"

    def at_size(self, size: int) -> ScaleJitter:
        """The same range of scales, for squares of another number of pixels."""
        low, high = (round(side * size / self.size) for side in self.short_side)
        return replace(self, size=size, short_side=(low, high))

    def crop(self, height: int, width: int, seed: int | None) -> Crop:
        """A random square of the image resized to a random size."""
        assert seed is not None
        generator = SampleGenerator(seed)
        low, high = self.short_side
        resized = short_side_size(height, width, low + generator.integer(high - low + 1))
        top = generator.integer(resized[0] - self.size + 1)
        left = generator.integer(resized[1] - self.size + 1)
        return Crop(whole(height, width), resized, Box(top, left, self.size, self.size), self.interpolation)
