"""The per-image pipelines of ImageNet-style training: names, arguments and their checks, shared by the folder
data sets.
"""

from __future__ import annotations

from typing import Literal, get_args

from resnet_zoo.data.checks import check_choice, check_count
from resnet_zoo.data.crops import Interpolation
from resnet_zoo.data.transforms import CenterCrop, RandomResizedCrop, ScaleJitter, Transform
from resnet_zoo.errors import InvalidValue

TrainingCrop = Literal["random_resized_crop", "scale_jitter"]

REFERENCE_SIZE, REFERENCE_SHORT_SIDE, REFERENCE_JITTER = 224, 256, (256, 480)


def training_transform(
    image_size: int,
    augmentation: TrainingCrop = "random_resized_crop",
    jitter_range: tuple[int, int] | None = None,
    interpolation: Interpolation = "bilinear",
) -> Transform:
    """The random crop of training.

    Args:
        image_size: height and width of the result, in pixels.
        augmentation: the name of the crop.
        jitter_range: of the shorter side, in pixels, for "scale_jitter"; None is [256, 480] for 224 and in
            proportion.
        interpolation: "bilinear" or "bicubic".

    Raises:
        InvalidValue: an unknown name, a range that is not one or does not hold the crop, or one for another
            crop.
    """
    check_count("image_size", image_size)
    check_choice("augmentation", augmentation, get_args(TrainingCrop))
    check_choice("interpolation", interpolation, get_args(Interpolation))
    if augmentation == "random_resized_crop":
        if jitter_range is not None:
            raise InvalidValue(
                f"jitter_range={list(jitter_range)} belongs to augmentation='scale_jitter' and would have no effect "
                f"with {augmentation!r}. Leave it out, or change the augmentation."
            )
        return RandomResizedCrop(image_size, interpolation=interpolation)
    if jitter_range is None:
        low, high = (in_proportion(side, image_size) for side in REFERENCE_JITTER)
        return ScaleJitter(image_size, (low, high), interpolation)
    if not image_size <= jitter_range[0] <= jitter_range[1]:
        raise InvalidValue(
            f"jitter_range={list(jitter_range)} is not allowed for image_size={image_size}. Give the smallest and the "
            f"largest shorter side, both at least {image_size}, e.g. [256, 480]."
        )
    return ScaleJitter(image_size, (jitter_range[0], jitter_range[1]), interpolation)


def evaluation_transform(
    image_size: int, eval_resize: int | None = None, interpolation: Interpolation = "bilinear"
) -> CenterCrop:
    """The central crop of evaluation.

    Args:
        image_size: height and width of the result, in pixels.
        eval_resize: length of the shorter side before the crop; None is 256 for 224 and in proportion.
        interpolation: "bilinear" or "bicubic".

    Raises:
        InvalidValue: the shorter side would not hold the crop.
    """
    check_choice("interpolation", interpolation, get_args(Interpolation))
    if eval_resize is None:
        eval_resize = in_proportion(REFERENCE_SHORT_SIDE, image_size)
    if eval_resize < image_size:
        raise InvalidValue(
            f"eval_resize={eval_resize} is smaller than image_size={image_size}. The crop is taken from the resized "
            f"image: use {image_size} or more, e.g. {in_proportion(REFERENCE_SHORT_SIDE, image_size)}."
        )
    return CenterCrop(image_size, eval_resize, interpolation)


def in_proportion(side: int, image_size: int) -> int:
    """A length that is meant for images of 224 pixels, for another size."""
    return round(side * image_size / REFERENCE_SIZE)
