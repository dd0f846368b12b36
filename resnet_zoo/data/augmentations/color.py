"""Colour jitter."""

from __future__ import annotations

from typing import ClassVar

from PIL import Image, ImageEnhance

from resnet_zoo.data.augmentations.base import ImageAugmentation
from resnet_zoo.data.random import SampleGenerator
from resnet_zoo.errors import InvalidValue

LARGEST_HUE = 0.5  # half of the circle: the opposite colour


class ColorJitter(ImageAugmentation):
    """Brightness, contrast, saturation and hue change by random factors, in random order (Howard 2013,
    arXiv:1312.5402, section 2), as torchvision's ColorJitter does it.

    Args:
        brightness: half the width of the range that the factor of the brightness is drawn from, [1 - b, 1 + b], cut
            off at 0.
        contrast: the same of the contrast.
        saturation: the same of the saturation.
        hue: largest turn of the colour circle in either direction, up to 0.5.

    Raises:
        InvalidValue: a negative value, a hue above 0.5, or nothing but zeros.
    """

    paper: ClassVar[str] = "Howard 2013, arXiv:1312.5402, section 2"

    def __init__(
        self, brightness: float = 0.4, contrast: float = 0.4, saturation: float = 0.4, hue: float = 0.0
    ) -> None:
        values = {"brightness": brightness, "contrast": contrast, "saturation": saturation, "hue": hue}
        for name, value in values.items():
            if value < 0 or (name == "hue" and value > LARGEST_HUE):
                allowed = f"0 to {LARGEST_HUE:g}" if name == "hue" else "0 or more"
                raise InvalidValue(f"ColorJitter: {name}={value:g} is not allowed. Use {allowed}.")
        if not any(values.values()):
            raise InvalidValue("ColorJitter with nothing but zeros does nothing. Leave it out.")
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue

    def __call__(self, image: Image.Image, generator: SampleGenerator) -> Image.Image:
        """An RGB image of the same size."""
        changes = [
            (change, *limits)
            for change, limits in (
                (adjust_brightness, _around_one(self.brightness)),
                (adjust_contrast, _around_one(self.contrast)),
                (adjust_saturation, _around_one(self.saturation)),
                (adjust_hue, (-self.hue, self.hue)),
            )
            if limits[0] < limits[1]
        ]
        while changes:
            change, low, high = changes.pop(generator.integer(len(changes)))
            image = change(image, generator.uniform(low, high))
        return image


def _around_one(width: float) -> tuple[float, float]:
    return max(0.0, 1.0 - width), 1.0 + width


def adjust_brightness(image: Image.Image, factor: float) -> Image.Image:
    """Blended with black; factor 1 leaves the image."""
    return ImageEnhance.Brightness(image).enhance(factor)


def adjust_contrast(image: Image.Image, factor: float) -> Image.Image:
    """Blended with its mean grey level; factor 1 leaves the image."""
    return ImageEnhance.Contrast(image).enhance(factor)


def adjust_saturation(image: Image.Image, factor: float) -> Image.Image:
    """Blended with its own grey; factor 1 leaves the image."""
    return ImageEnhance.Color(image).enhance(factor)


def adjust_hue(image: Image.Image, turn: float) -> Image.Image:
    """Turn the colour circle by a part of a full turn, in Pillow's 256 steps of hue."""
    hue, saturation, value = image.convert("HSV").split()
    steps = int(turn * 255)  # towards zero, as torchvision has it
    hue = hue.point([(step + steps) % 256 for step in range(256)])
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")
