"""The operations that RandAugment and TrivialAugment draw from, and how strong each of them is at a given strength."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from PIL import Image

from resnet_zoo.data.augmentations import operations as op
from resnet_zoo.data.augmentations.operations import Operation, Warp
from resnet_zoo.data.random import SampleGenerator


class Choice(NamedTuple):
    """One operation of a policy.

    Attributes:
        operation: what is done.
        amount: how much, from a strength in [0, 1] and the image's length in pixels along the operation.
        signed: whether the amount is negated half of the time.
    """

    operation: Operation
    amount: Callable[[float, int], float] = lambda strength, side: 0.0
    signed: bool = False

    def apply(
        self, image: Image.Image, strength: float, generator: SampleGenerator, warp: Warp
    ) -> Image.Image:
        """The operation at a strength, in a direction drawn from the generator."""
        side = image.height if self.operation is op.translate_y else image.width
        amount = self.amount(strength, side)
        if self.signed and generator.integer(2):
            amount = -amount
        return self.operation(image, amount, warp)


def _up_to(most: float) -> Callable[[float, int], float]:
    return lambda strength, side: most * strength


def _bits(lost: int) -> Callable[[float, int], float]:
    return lambda strength, side: round(8 - lost * strength)


def _space(
    shear: float, degrees: float, enhance: float, lost_bits: int, shift: Callable[[float, int], float]
) -> Mapping[str, Choice]:
    """The fourteen operations that torchvision has, from their amounts at full strength."""
    enhanced = {
        "Brightness": op.brightness,
        "Color": op.color,
        "Contrast": op.contrast,
        "Sharpness": op.sharpness,
    }
    return MappingProxyType(
        {
            "Identity": Choice(op.identity),
            "ShearX": Choice(op.shear_x, _up_to(shear), signed=True),
            "ShearY": Choice(op.shear_y, _up_to(shear), signed=True),
            "TranslateX": Choice(op.translate_x, shift, signed=True),
            "TranslateY": Choice(op.translate_y, shift, signed=True),
            "Rotate": Choice(op.rotate, _up_to(degrees), signed=True),
            **{name: Choice(operation, _up_to(enhance), signed=True) for name, operation in enhanced.items()},
            "Posterize": Choice(op.posterize, _bits(lost_bits)),
            "Solarize": Choice(op.solarize, lambda strength, side: 255.0 * (1.0 - strength)),
            "AutoContrast": Choice(op.auto_contrast),
            "Equalize": Choice(op.equalize),
        }
    )


STANDARD = _space(0.3, 30.0, 0.9, 4, lambda strength, side: int(150.0 / 331.0 * side * strength))
"""Operations of Cubuk et al. 2019, with torchvision's amounts."""

WIDE = _space(0.99, 135.0, 0.99, 6, lambda strength, side: int(32.0 * strength))
"""The wide list of Mueller and Hutter 2021, with torchvision's amounts."""

_ENHANCED = _up_to(0.9)

INCREASING: Mapping[str, Choice] = MappingProxyType(
    {
        "AutoContrast": Choice(op.auto_contrast),
        "Equalize": Choice(op.equalize),
        "Invert": Choice(op.invert),
        "Rotate": Choice(op.rotate, _up_to(30.0), signed=True),
        "Posterize": Choice(op.posterize, lambda strength, side: 4 - int(4 * strength)),
        "Solarize": Choice(op.solarize, lambda strength, side: 256 - int(256 * strength)),
        "SolarizeAdd": Choice(op.solarize_add, lambda strength, side: int(110 * strength)),
        "Color": Choice(op.color, _ENHANCED, signed=True),
        "Contrast": Choice(op.contrast, _ENHANCED, signed=True),
        "Brightness": Choice(op.brightness, _ENHANCED, signed=True),
        "Sharpness": Choice(op.sharpness, _ENHANCED, signed=True),
        "ShearX": Choice(op.shear_x, _up_to(0.3), signed=True),
        "ShearY": Choice(op.shear_y, _up_to(0.3), signed=True),
        "TranslateX": Choice(op.translate_x, lambda strength, side: 0.45 * side * strength, signed=True),
        "TranslateY": Choice(op.translate_y, lambda strength, side: 0.45 * side * strength, signed=True),
    }
)
"""timm's operations whose effect grows with the magnitude ("inc1"), which RSB trains with."""
