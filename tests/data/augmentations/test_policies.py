"""RandAugment, TrivialAugment and colour jitter: what they draw, and that the seed alone decides."""

from __future__ import annotations

import pickle
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms.v2 import functional as reference

from resnet_zoo.data.augmentations import (
    ColorJitter,
    ImageAugmentation,
    RandAugment,
    TrivialAugmentWide,
    policies,
)
from resnet_zoo.data.augmentations import color as own
from resnet_zoo.data.augmentations.operations import Warp
from resnet_zoo.data.augmentations.spaces import Choice
from resnet_zoo.data.random import SampleGenerator
from resnet_zoo.errors import InvalidValue
from tests.data.pictures import picture

RSB = RandAugment(
    magnitude=7, policy="increasing", magnitude_std=0.5, probability=0.5, interpolation="random"
)
ALL = [RandAugment(), RSB, TrivialAugmentWide(), ColorJitter(0.4, 0.4, 0.4, 0.1)]
Drawn = list[tuple[str, float]]


def recording(drawn: Drawn, names: str, signed: bool = True) -> tuple[Choice, ...]:
    """Operations that note their name and amount and do nothing."""

    def noting(name: str) -> Choice:
        def note(image: Image.Image, amount: float, warp: Warp) -> Image.Image:
            drawn.append((name, amount))
            return image

        return Choice(note, lambda strength, side: strength, signed)

    return tuple(noting(name) for name in names)


@pytest.mark.parametrize("augmentation", ALL, ids=repr)
def test_the_seed_alone_decides(augmentation: ImageAugmentation) -> None:
    image = picture(1)
    results = [np.asarray(augmentation(image, SampleGenerator(seed * 7919))) for seed in range(12)]
    again = pickle.loads(pickle.dumps(augmentation))(image, SampleGenerator(5 * 7919))
    assert np.array_equal(np.asarray(again), results[5])
    assert len({result.tobytes() for result in results}) > 6
    assert np.array_equal(np.asarray(image), np.asarray(picture(1)))


def test_rand_augment_draws_evenly_with_both_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: Drawn = []
    monkeypatch.setitem(policies._POLICIES, "standard", (recording(drawn, "abcde"), 30.0))
    for seed in range(2500):
        RandAugment(num_ops=2, magnitude=15)(picture(1, 8, 8), SampleGenerator(seed * 7919))
    assert len(drawn) == 5000
    assert all(count == pytest.approx(500, abs=110) for count in Counter(drawn).values())
    assert set(drawn) == {(name, amount) for name in "abcde" for amount in (0.5, -0.5)}


def test_rsb_draws_magnitudes_around_seven_and_leaves_half_out(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: Drawn = []
    monkeypatch.setitem(policies._POLICIES, "increasing", (recording(drawn, "abc", signed=False), 10.0))
    for seed in range(2000):
        RSB(picture(1, 8, 8), SampleGenerator(seed * 7919))
    assert len(drawn) == pytest.approx(2000, abs=160)
    magnitudes = 10 * np.array([amount for _, amount in drawn])
    assert magnitudes.mean() == pytest.approx(7, abs=0.06)
    assert magnitudes.std() == pytest.approx(0.5, abs=0.04)


def test_trivial_augment_uses_all_strengths_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: Drawn = []
    monkeypatch.setattr(policies, "_WIDE", recording(drawn, "ab", signed=False))
    for seed in range(3100):
        TrivialAugmentWide()(picture(1, 8, 8), SampleGenerator(seed * 7919))
    counts = Counter(round(30 * amount, 6) for _, amount in drawn)
    assert set(counts) == set(range(31))
    assert sum((count - 100) ** 2 / 100 for count in counts.values()) < 75  # chi square of 30, one in 10,000


@pytest.mark.parametrize("factor", [0.3, 1.0, 1.7])
def test_adjustments_equal_torchvision(factor: float) -> None:
    image, turn = picture(6), 0.3 * (factor - 1.0)
    for ours, theirs in (
        (own.adjust_brightness(image, factor), reference.adjust_brightness(image, factor)),
        (own.adjust_contrast(image, factor), reference.adjust_contrast(image, factor)),
        (own.adjust_saturation(image, factor), reference.adjust_saturation(image, factor)),
        (own.adjust_hue(image, turn), reference.adjust_hue(image, turn)),
    ):
        assert np.array_equal(np.asarray(ours), np.asarray(theirs))


def test_brightness_is_even_over_its_range() -> None:
    grey = Image.new("RGB", (2, 2), (100, 100, 100))
    jitter = ColorJitter(brightness=0.4, contrast=0, saturation=0)
    levels = [jitter(grey, SampleGenerator(seed * 7919)).getpixel((0, 0))[0] for seed in range(2000)]
    assert min(levels) == 60
    assert max(levels) in (139, 140)
    counts, _ = np.histogram(levels, bins=8, range=(60, 140))
    assert counts == pytest.approx([250] * 8, abs=75)


def test_changes_come_in_every_order() -> None:
    """Contrast after brightness is not brightness after contrast; both orders occur."""
    image, jitter = picture(7), ColorJitter(brightness=0.9, contrast=0.9, saturation=0)
    orders = set()
    for seed in range(12):
        generator = SampleGenerator(seed * 7919)
        first_is_contrast = generator.integer(2)
        first = generator.uniform(0.1, 1.9)
        generator.integer(1)
        factors = (first, generator.uniform(0.1, 1.9))
        changes = [own.adjust_brightness, own.adjust_contrast]
        if first_is_contrast:
            changes.reverse()
        expected = changes[1](changes[0](image, factors[0]), factors[1])
        assert np.array_equal(np.asarray(jitter(image, SampleGenerator(seed * 7919))), np.asarray(expected))
        orders.add(first_is_contrast)
    assert orders == {0, 1}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: RandAugment(magnitude=31),
            "magnitude=31 is not allowed. The policy 'standard' takes 0 to 30.",
        ),
        (lambda: RandAugment(policy="increasing", magnitude=11), "The policy 'increasing' takes 0 to 10."),
        (lambda: RandAugment(policy="increase"), "Did you mean 'increasing'?"),  # type: ignore[arg-type]
        (lambda: RandAugment(num_ops=0), "num_ops=0 is not allowed. Use 1 or more."),
        (lambda: RandAugment(probability=0), "leave the augmentation out to do without it"),
        (lambda: TrivialAugmentWide(interpolation="linear"), "Allowed: 'nearest'"),  # type: ignore[arg-type]
        (lambda: TrivialAugmentWide(fill=(0, 0, 300)), "fill=[0, 0, 300] is no colour"),
        (lambda: ColorJitter(hue=0.6), "ColorJitter: hue=0.6 is not allowed. Use 0 to 0.5."),
        (lambda: ColorJitter(-1.0), "brightness=-1 is not allowed. Use 0 or more."),
        (lambda: ColorJitter(0, 0, 0, 0), "nothing but zeros"),
    ],
)
def test_what_is_not_allowed(make: type, message: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        make()
    assert message in str(caught.value)
