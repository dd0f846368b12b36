"""The operations that augmentation policies choose from: one image in, one image out, nothing random.

They work on Pillow images, as the published recipes of torchvision and timm do, and give the same pixels as
``torchvision.transforms.v2.functional`` does on Pillow images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from PIL import Image, ImageEnhance, ImageOps

Color = tuple[int, int, int]
SOLARIZE_ADD_THRESHOLD = 128  # the brighter half stays as it is


class Warp(NamedTuple):
    """How pixels are found when an image is moved.

    Attributes:
        resample: Pillow's interpolation.
        fill: colour of what comes in from outside.
    """

    resample: Image.Resampling = Image.Resampling.NEAREST
    fill: Color = (0, 0, 0)

    def affine(self, image: Image.Image, *inverse: float) -> Image.Image:
        """Pixel (x, y) of the result is pixel (a x + b y + c, d x + e y + f) of the image, for six numbers."""
        return image.transform(
            image.size, Image.Transform.AFFINE, inverse, resample=self.resample, fillcolor=self.fill
        )


def shear_x(image: Image.Image, amount: float, warp: Warp) -> Image.Image:
    """Row y moves left by ``amount * (y + 1/2)`` pixels; the upper left corner stays."""
    return warp.affine(image, 1, amount, 0, 0, 1, 0)


def shear_y(image: Image.Image, amount: float, warp: Warp) -> Image.Image:
    """Column x moves up by ``amount * (x + 1/2)`` pixels; the upper left corner stays."""
    return warp.affine(image, 1, 0, 0, amount, 1, 0)


def translate_x(image: Image.Image, amount: float, warp: Warp) -> Image.Image:
    """To the right by so many pixels."""
    return warp.affine(image, 1, 0, -amount, 0, 1, 0)


def translate_y(image: Image.Image, amount: float, warp: Warp) -> Image.Image:
    """Down by so many pixels."""
    return warp.affine(image, 1, 0, 0, 0, 1, -amount)


def rotate(image: Image.Image, amount: float, warp: Warp) -> Image.Image:
    """Counter-clockwise about the centre by so many degrees."""
    return image.rotate(amount, resample=warp.resample, fillcolor=warp.fill)


def brightness(image: Image.Image, amount: float, warp: Warp) -> Image.Image:
    """Blended with black: -1 is black, 0 leaves the image, 1 doubles it."""
    return ImageEnhance.Brightness(image).enhance(1.0 + amount)


def color(image: Image.Image, amount: float, warp: Warp) -> Image.Image:
    """Blended with its own grey: -1 is grey, 0 leaves the image, 1 doubles its saturation."""
    return ImageEnhance.Color(image).enhance(1.0 + amount)


def contrast(image: Image.Image, amount: float, warp: Warp) -> Image.Image:
    """Blended with its mean grey level: -1 is flat, 0 leaves the image, 1 doubles its contrast."""
    return ImageEnhance.Contrast(image).enhance(1.0 + amount)


def sharpness(image: Image.Image, amount: float, warp: Warp) -> Image.Image:
    """Blended with a blurred copy: -1 is blurred, 0 leaves the image, 1 doubles the difference."""
    return ImageEnhance.Sharpness(image).enhance(1.0 + amount)


def posterize(image: Image.Image, amount: float, warp: Warp) -> Image.Image:
    """Keep the upper ``amount`` bits of every channel, 0 to 8."""
    kept = 256 - (1 << (8 - int(amount)))  # Pillow's own function refuses to keep none
    return image.point([value & kept for value in range(256)] * 3)


def solarize(image: Image.Image, amount: float, warp: Warp) -> Image.Image:
    """Invert the values from ``amount`` on, 0 to 256."""
    return ImageOps.solarize(image, amount)  # type: ignore[arg-type]  # compares with it, whatever its type


def solarize_add(image: Image.Image, amount: float, warp: Warp) -> Image.Image:
    """Add ``amount`` to the values of the darker half, no further than to 255."""
    table = [min(255, v + int(amount)) if v < SOLARIZE_ADD_THRESHOLD else v for v in range(256)]
    return image.point(table * 3)


def auto_contrast(image: Image.Image, amount: float, warp: Warp) -> Image.Image:
    """Stretch every channel to the full range."""
    return ImageOps.autocontrast(image)


def equalize(image: Image.Image, amount: float, warp: Warp) -> Image.Image:
    """Make all values of a channel about equally frequent."""
    return ImageOps.equalize(image)


def invert(image: Image.Image, amount: float, warp: Warp) -> Image.Image:
    """Negative."""
    return ImageOps.invert(image)


def identity(image: Image.Image, amount: float, warp: Warp) -> Image.Image:
    """Nothing."""
    return image


Operation = Callable[[Image.Image, float, Warp], Image.Image]
