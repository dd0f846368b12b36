"""Random erasing and Cutout: a rectangle of every image is filled, in whole batches on the device."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from resnet_zoo.data import random
from resnet_zoo.data.augmentations.base import RegionAugmentation, check_probability
from resnet_zoo.data.checks import check_choice
from resnet_zoo.errors import InvalidValue

Fill = Literal["mean", "noise"]
TRIES = 10  # as torchvision: a rectangle that does not fit is drawn anew
_CHANCE, _AREA, _RATIO, _CORNER, _NOISE = 0, 1, 1 + TRIES, 1 + 2 * TRIES, 3 + 2 * TRIES


class Boxes(NamedTuple):
    """A rectangle per image, int64 (b,) each; bottom and right are the first pixels outside."""

    top: Tensor
    left: Tensor
    bottom: Tensor
    right: Tensor

    def mask(self, height: int, width: int, channels: int = 3) -> Tensor:
        """Of the values of rows (see ``rows_of``), true inside: bool (b, height, width * channels)."""
        rows = torch.arange(height, device=self.top.device)
        values = torch.arange(width * channels, device=self.top.device)
        left, right = self.left.unsqueeze(1) * channels, self.right.unsqueeze(1) * channels
        inside_rows = (rows >= self.top.unsqueeze(1)) & (rows < self.bottom.unsqueeze(1))
        inside_values = (values >= left) & (values < right)
        return inside_rows.unsqueeze(2) & inside_values.unsqueeze(1)

    def area(self) -> Tensor:
        """int64 (b,), in pixels."""
        return (self.bottom - self.top) * (self.right - self.left)


def rows_of(images: Tensor) -> Tensor:
    """Images (b, 3, h, w) as rows of values (b, h, w * 3), which are long enough for vectorised loops.

    A view of channels-last images, a copy of others.
    """
    batch, _, height, _ = images.shape
    return images.permute(0, 2, 3, 1).reshape(batch, height, -1)


def images_of(rows: Tensor) -> Tensor:
    """Rows of values (b, h, w * 3) as channels-last images (b, 3, h, w), a view."""
    batch, height, _ = rows.shape
    return rows.view(batch, height, -1, 3).permute(0, 3, 1, 2)


class RandomErasing(RegionAugmentation):
    """A rectangle of random size, proportions and place is erased (Zhong et al. 2017, arXiv:1708.04896, section 3.2).

    The proportions are drawn evenly on a logarithmic scale, as torchvision and timm do; the paper draws them evenly.

    Args:
        probability: share of the images that lose a rectangle.
        scale: smallest and largest area, as shares of the image's.
        ratio: smallest and largest height over width.
        fill: 'mean' for the data set's mean colour, 'noise' for standard normal values in every channel of every pixel
            after normalisation (timm's 'pixel', torchvision's 'random').

    Raises:
        InvalidValue: a value that is not allowed.
    """

    paper: ClassVar[str] = "Zhong et al. 2017, arXiv:1708.04896, section 3.2"

    def __init__(
        self,
        probability: float = 0.25,
        scale: tuple[float, float] = (0.02, 0.33),
        ratio: tuple[float, float] = (0.3, 3.3),
        fill: Fill = "mean",
    ) -> None:
        check_probability(self, "probability", probability)
        check_choice("fill", fill, get_args(Fill))
        if not 0 < scale[0] <= scale[1] <= 1:
            raise InvalidValue(
                f"RandomErasing: scale={list(scale)} is not allowed. Give the smallest and the largest share of the "
                "area, above 0 and up to 1, e.g. [0.02, 0.33]."
            )
        if not 0 < ratio[0] <= ratio[1]:
            raise InvalidValue(
                f"RandomErasing: ratio={list(ratio)} is not allowed. Give the smallest and the largest height over "
                "width, above 0, e.g. [0.3, 3.3]."
            )
        self.probability = probability
        self.scale = (scale[0], scale[1])
        self.ratio = (ratio[0], ratio[1])
        self.fill = fill

    def boxes(self, seeds: Tensor, draw: int, height: int, width: int) -> Boxes:
        """The rectangles; empty for images that keep everything."""
        areas = random.several_uniforms(seeds, draw + _AREA, TRIES).to(_precise(seeds))
        ratios = random.several_uniforms(seeds, draw + _RATIO, TRIES).to(_precise(seeds))
        areas = height * width * (self.scale[0] + (self.scale[1] - self.scale[0]) * areas)
        low, high = math.log(self.ratio[0]), math.log(self.ratio[1])
        ratios = torch.exp(low + (high - low) * ratios)
        heights, widths = torch.sqrt(areas * ratios).round().long(), torch.sqrt(areas / ratios).round().long()
        fits = (heights < height) & (widths < width)
        first = fits.to(torch.uint8).argmax(dim=0, keepdim=True)
        chosen = fits.any(dim=0) & (random.uniforms(seeds, draw + _CHANCE) < self.probability)
        box_height = heights.gather(0, first)[0] * chosen
        box_width = widths.gather(0, first)[0] * chosen
        vertical, horizontal = random.several_uniforms(seeds, draw + _CORNER, 2).to(_precise(seeds))
        top = (vertical * (height - box_height + 1)).long()
        left = (horizontal * (width - box_width + 1)).long()
        return Boxes(top, left, top + box_height, left + box_width)

    def __call__(self, images: Tensor, seeds: Tensor, draw: int) -> Tensor:
        """The images, each with its rectangle erased or as it was; those given are written to."""
        height, width = images.shape[2:]
        boxes = self.boxes(seeds, draw, height, width)
        mask, rows = boxes.mask(height, width), rows_of(images)
        if self.fill == "mean":
            return images_of(rows.masked_fill_(mask, 0.0))
        if images.device.type != "cpu":  # to ask which images are concerned would mean to wait for the device
            return images_of(torch.where(mask, noise_like(rows, seeds, draw + _NOISE), rows))
        concerned = boxes.area().nonzero()[:, 0]
        part = rows[concerned]
        noise = noise_like(part, seeds[concerned], draw + _NOISE)
        return images_of(rows.index_copy_(0, concerned, torch.where(mask[concerned], noise, part)))


class Cutout(RegionAugmentation):
    """A square of every image takes the mean colour; its centre is any pixel, so that it may stick out (DeVries and
    Taylor 2017, arXiv:1708.04552, section 3).

    Args:
        size: side of the square, in pixels; the paper takes 16 for CIFAR-10 and 8 for CIFAR-100.

    Raises:
        InvalidValue: fewer than 2 pixels, or more than the image has.
    """

    paper: ClassVar[str] = "DeVries and Taylor 2017, arXiv:1708.04552, section 3"

    def __init__(self, size: int = 16) -> None:
        if size < 2:
            raise InvalidValue(f"Cutout: size={size} is not allowed. Use 2 pixels or more.")
        self.size = size

    def check(self, image_size: int) -> None:
        """Refuse a square that is larger than the images."""
        if self.size > image_size:
            raise InvalidValue(
                f"Cutout: size={self.size} is larger than the images of {image_size} pixels. Use at most {image_size}, "
                f"e.g. {max(2, image_size // 2)}."
            )

    def boxes(self, seeds: Tensor, draw: int, height: int, width: int) -> Boxes:
        """The squares, as far as they are inside of the image."""
        row, column = random.integers(seeds, draw, (height, width))
        half = self.size // 2
        return Boxes(
            (row - half).clamp(min=0),
            (column - half).clamp(min=0),
            (row - half + self.size).clamp(max=height),
            (column - half + self.size).clamp(max=width),
        )

    def __call__(self, images: Tensor, seeds: Tensor, draw: int) -> Tensor:
        """The images with their squares filled; those given are written to."""
        height, width = images.shape[2:]
        mask = self.boxes(seeds, draw, height, width).mask(height, width)
        return images_of(rows_of(images).masked_fill_(mask, 0.0))


def noise_like(rows: Tensor, seeds: Tensor, draw: int) -> Tensor:
    """Standard normal values in the shape of rows (b, h, n), each image's by its own seed."""
    return random.normal_field(random.words(seeds, draw), rows.shape[1] * rows.shape[2]).reshape(rows.shape)


def _precise(seeds: Tensor) -> torch.dtype:
    """Sizes are rounded to pixels: in float64 all devices round alike. Apple's GPUs have none."""
    return torch.float32 if seeds.device.type == "mps" else torch.float64
