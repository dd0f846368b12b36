"""Operations of the policies: torchvision's pixels and amounts, and timm's."""

from __future__ import annotations

import math
import random as python_random
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as reference

from resnet_zoo.data.augmentations import operations as op
from resnet_zoo.data.augmentations.operations import Operation, Warp
from resnet_zoo.data.augmentations.spaces import INCREASING, STANDARD, WIDE
from tests.data.pictures import picture

MEAN_COLOR = (124, 116, 104)
WARPS = {
    v2.InterpolationMode.NEAREST: Warp(fill=MEAN_COLOR),
    v2.InterpolationMode.BILINEAR: Warp(Image.Resampling.BILINEAR, MEAN_COLOR),
    v2.InterpolationMode.BICUBIC: Warp(Image.Resampling.BICUBIC, MEAN_COLOR),
}
STILL = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]}
Reference = Callable[..., Image.Image]


def sheared(image: Image.Image, x: float, y: float, **how: object) -> Image.Image:
    degrees = [math.degrees(math.atan(x)), math.degrees(math.atan(y))]
    result: Image.Image = reference.affine(image, **{**STILL, "shear": degrees}, center=[0, 0], **how)
    return result


MOVING: dict[Operation, Reference] = {
    op.shear_x: lambda image, amount, **how: sheared(image, amount, 0.0, **how),
    op.shear_y: lambda image, amount, **how: sheared(image, 0.0, amount, **how),
    op.translate_x: lambda image, amount, **how: reference.affine(
        image, **{**STILL, "translate": [int(amount), 0]}, **how
    ),
    op.translate_y: lambda image, amount, **how: reference.affine(
        image, **{**STILL, "translate": [0, int(amount)]}, **how
    ),
    op.rotate: reference.rotate,
}
AMOUNTS = {op.translate_x: 7.0, op.translate_y: 7.0, op.rotate: 17.0}
COLORING: dict[Operation, tuple[Reference, tuple[float, ...]]] = {
    op.brightness: (lambda image, a: reference.adjust_brightness(image, 1 + a), (-0.9, -0.3, 0.5)),
    op.color: (lambda image, a: reference.adjust_saturation(image, 1 + a), (-0.9, -0.3, 0.5)),
    op.contrast: (lambda image, a: reference.adjust_contrast(image, 1 + a), (-0.9, -0.3, 0.5)),
    op.sharpness: (lambda image, a: reference.adjust_sharpness(image, 1 + a), (-0.9, -0.3, 0.5)),
    op.posterize: (lambda image, a: reference.posterize(image, int(a)), (8, 6, 4, 2)),
    op.solarize: (reference.solarize, (255.0, 127.5, 0.0)),
    op.auto_contrast: (lambda image, a: reference.autocontrast(image), (0.0,)),
    op.equalize: (lambda image, a: reference.equalize(image), (0.0,)),
    op.invert: (lambda image, a: reference.invert(image), (0.0,)),
    op.identity: (lambda image, a: image, (0.0,)),
}


def same(first: Image.Image, second: Image.Image) -> bool:
    return bool(np.array_equal(np.asarray(first), np.asarray(second)))


@pytest.mark.parametrize("operation", MOVING, ids=lambda operation: operation.__name__)
@pytest.mark.parametrize("interpolation", WARPS)
@pytest.mark.parametrize("sign", [1, -1])
def test_moving_pixels_equals_torchvision(
    operation: Operation, interpolation: v2.InterpolationMode, sign: int
) -> None:
    image, amount = picture(3, 37, 45), sign * AMOUNTS.get(operation, 0.21)
    expected = MOVING[operation](image, amount, interpolation=interpolation, fill=list(MEAN_COLOR))
    found = operation(image, amount, WARPS[interpolation])
    difference = np.abs(np.asarray(found).astype(int) - np.asarray(expected))
    # torchvision takes a shear through its angle and back, whose rounding may show between two pixels
    exact = interpolation is v2.InterpolationMode.NEAREST or "shear" not in operation.__name__
    assert int(difference.max()) <= (0 if exact else 1)


@pytest.mark.parametrize("operation", COLORING, ids=lambda operation: operation.__name__)
def test_coloring_equals_torchvision(operation: Operation) -> None:
    image, (expected, amounts) = picture(4), COLORING[operation]
    for amount in amounts:
        assert same(operation(image, amount, Warp()), expected(image, amount))


def test_every_operation_of_every_policy_is_compared() -> None:
    used = {choice.operation for space in (STANDARD, WIDE, INCREASING) for choice in space.values()}
    assert used - {op.solarize_add} == set(MOVING) | set(COLORING)


@pytest.mark.parametrize(
    ("own", "theirs"), [(STANDARD, v2.RandAugment), (WIDE, v2.TrivialAugmentWide)], ids=["rand", "trivial"]
)
def test_amounts_are_torchvision_s(own: dict, theirs: type) -> None:
    space, bins, height, width = theirs._AUGMENTATION_SPACE, 31, 200, 224
    assert set(own) == set(space)
    for name, (magnitudes, signed) in space.items():
        expected, choice = magnitudes(bins, height, width), own[name]
        assert choice.signed == signed
        if expected is None:
            continue
        side = height if name == "TranslateY" else width
        found = [choice.amount(place / (bins - 1), side) for place in range(bins)]
        wanted = expected.tolist()
        if name == "Solarize":
            wanted = [255.0 * value for value in wanted]
        if name.startswith("Translate"):  # the reference cuts off the fraction when it moves
            assert all(abs(a - b) < 1 for a, b in zip(found, wanted, strict=True))
        else:
            assert found == pytest.approx(wanted, abs=1e-4)


def test_posterize_may_keep_nothing() -> None:
    assert np.asarray(op.posterize(picture(4), 0, Warp())).max() == 0


def test_solarize_add_brightens_the_darker_half() -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).convert("RGB")
    values = np.asarray(op.solarize_add(ramp, 110, Warp()))[..., 0].ravel()
    assert values[:128].tolist() == list(range(110, 238))
    assert values[128:].tolist() == list(range(128, 256))


@pytest.mark.parametrize("magnitude", [0.0, 2.5, 7.0, 9.9])
def test_increasing_policy_equals_timm(magnitude: float) -> None:
    timm = pytest.importorskip("timm.data.auto_augment", reason="needs timm to compare with")
    image = picture(5, 40, 40)
    python_random.seed(0)
    names = {
        own: own + {"Posterize": "Increasing", "Solarize": "Increasing"}.get(own, "") for own in INCREASING
    }
    for own, choice in INCREASING.items():
        if own in ("Color", "Contrast", "Brightness", "Sharpness"):
            names[own] = f"{own}Increasing"
        if own.startswith("Translate"):
            names[own] = f"{own}Rel"
        hparams = {"img_mean": MEAN_COLOR, "interpolation": Image.Resampling.BILINEAR}
        theirs = timm.AugmentOp(names[own], prob=1.0, magnitude=magnitude, hparams=hparams)
        amount, warp = choice.amount(magnitude / 10, 40), WARPS[v2.InterpolationMode.BILINEAR]
        signs = (1, -1) if choice.signed else (1,)
        outcomes = [np.asarray(choice.operation(image, sign * amount, warp)) for sign in signs]
        for _ in range(4):
            expected = np.asarray(theirs(image))
            assert any(np.array_equal(expected, outcome) for outcome in outcomes), own
