"""RandAugment and TrivialAugment: a few operations drawn from a list."""

from __future__ import annotations

from typing import ClassVar, Literal, get_args

from PIL import Image

from resnet_zoo.data.augmentations.base import ImageAugmentation, check_probability
from resnet_zoo.data.augmentations.operations import Color, Warp
from resnet_zoo.data.augmentations.spaces import INCREASING, STANDARD, WIDE, Choice
from resnet_zoo.data.checks import check_choice, check_count, check_not_negative
from resnet_zoo.data.random import SampleGenerator
from resnet_zoo.errors import InvalidValue

Interpolation = Literal["nearest", "bilinear", "bicubic", "random"]
Policy = Literal["standard", "increasing"]

# Kept here and not by the augmentations, which travel to worker processes: functions without a name cannot.
_POLICIES: dict[str, tuple[tuple[Choice, ...], float]] = {
    "standard": (tuple(STANDARD.values()), 30.0),
    "increasing": (tuple(INCREASING.values()), 10.0),
}
_WIDE = tuple(WIDE.values())

_RESAMPLE = {
    "nearest": (Image.Resampling.NEAREST,),
    "bilinear": (Image.Resampling.BILINEAR,),
    "bicubic": (Image.Resampling.BICUBIC,),
    "random": (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC),
}


class RandAugment(ImageAugmentation):
    """A few operations, drawn evenly from a list, all of one strength (Cubuk et al. 2019, arXiv:1909.13719).

    The policy 'standard' has torchvision's fourteen operations and magnitudes up to 30. 'increasing' has the fifteen of
    timm's rand-...-inc1 and magnitudes up to 10: RSB (Wightman et al. 2021, arXiv:2110.00476, table 2) trains with
    rand-m7-mstd0.5-inc1 (A1, A2: magnitude 7; A3: 6), which is policy increasing, magnitude 7, magnitude_std 0.5,
    probability 0.5, interpolation random and ImageNet's mean colour as fill.

    Args:
        num_ops: operations per image, drawn with replacement (N of the paper).
        magnitude: strength of all operations (M), as a part of the policy's largest.
        policy: 'standard' or 'increasing'.
        magnitude_std: standard deviation of a normal change of the magnitude, drawn for every operation.
        probability: share of the drawn operations that are carried out.
        interpolation: 'nearest', 'bilinear', 'bicubic', or 'random' for one of the last two, in operations that move
            pixels.
        fill: colour of what moves in from outside the image.

    Raises:
        InvalidValue: a value that is not allowed.
    """

    paper: ClassVar[str] = "Cubuk et al. 2019, arXiv:1909.13719, section 3"

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: float = 9.0,
        policy: Policy = "standard",
        magnitude_std: float = 0.0,
        probability: float = 1.0,
        interpolation: Interpolation = "nearest",
        fill: Color = (0, 0, 0),
    ) -> None:
        check_count("num_ops", num_ops)
        check_choice("policy", policy, get_args(Policy))
        check_choice("interpolation", interpolation, get_args(Interpolation))
        check_not_negative("magnitude_std", magnitude_std)
        check_probability(self, "probability", probability)
        most = _POLICIES[policy][1]
        if not 0 <= magnitude <= most:
            raise InvalidValue(
                f"RandAugment: magnitude={magnitude:g} is not allowed. The policy {policy!r} takes 0 to {most:g}."
            )
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.policy = policy
        self.magnitude_std = magnitude_std
        self.probability = probability
        self.interpolation = interpolation
        self.fill = check_color(fill)

    def __call__(self, image: Image.Image, generator: SampleGenerator) -> Image.Image:
        """An RGB image of the same size."""
        choices, most = _POLICIES[self.policy]
        for _ in range(self.num_ops):
            choice = choices[generator.integer(len(choices))]
            if self.probability < 1 and generator.uniform(0.0, 1.0) >= self.probability:
                continue
            magnitude = self.magnitude
            if self.magnitude_std:
                magnitude = min(max(magnitude + self.magnitude_std * generator.normal(), 0.0), most)
            warp = Warp(draw_resample(self.interpolation, generator), self.fill)
            image = choice.apply(image, magnitude / most, generator, warp)
        return image


class TrivialAugmentWide(ImageAugmentation):
    """One operation, drawn evenly from a list, of a strength drawn evenly from 31 (Mueller and Hutter 2021,
    arXiv:2103.10158, section 3, with the wide list, as torchvision has it).

    Args:
        interpolation: 'nearest', 'bilinear', 'bicubic', or 'random' for one of the last two, in operations that move
            pixels.
        fill: colour of what moves in from outside the image.

    Raises:
        InvalidValue: a value that is not allowed.
    """

    paper: ClassVar[str] = "Mueller and Hutter 2021, arXiv:2103.10158, section 3"
    NUM_STRENGTHS: ClassVar[int] = 31

    def __init__(self, interpolation: Interpolation = "nearest", fill: Color = (0, 0, 0)) -> None:
        check_choice("interpolation", interpolation, get_args(Interpolation))
        self.interpolation = interpolation
        self.fill = check_color(fill)

    def __call__(self, image: Image.Image, generator: SampleGenerator) -> Image.Image:
        """An RGB image of the same size."""
        choice = _WIDE[generator.integer(len(_WIDE))]
        strength = generator.integer(self.NUM_STRENGTHS) / (self.NUM_STRENGTHS - 1)
        warp = Warp(draw_resample(self.interpolation, generator), self.fill)
        return choice.apply(image, strength, generator, warp)


def draw_resample(interpolation: Interpolation, generator: SampleGenerator) -> Image.Resampling:
    """Pillow's interpolation of this name; a draw is only used up where there is a choice."""
    allowed = _RESAMPLE[interpolation]
    return allowed[generator.integer(len(allowed))] if len(allowed) > 1 else allowed[0]


def check_color(color: Color) -> Color:
    """Refuse what is no colour of three values in 0 to 255."""
    if len(color) != 3 or not all(0 <= value <= 255 for value in color):
        raise InvalidValue(
            f"fill={list(color)} is no colour. Give red, green and blue in 0 to 255, e.g. [124, 116, 104]."
        )
    return (color[0], color[1], color[2])
