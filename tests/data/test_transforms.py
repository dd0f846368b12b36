"""Crop and resize: torchvision's pixels and torchvision's distribution of boxes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import RandomResizedCrop as ReferenceCrop
from torchvision.transforms import v2

from resnet_zoo.data.crops import resize, short_side_size
from resnet_zoo.data.random import SampleGenerator
from resnet_zoo.data.transforms import CenterCrop, RandomResizedCrop, ScaleJitter, random_resized_crop_box
from tests.data.pictures import picture

SIZES = [(60, 80), (80, 60), (64, 64), (61, 47), (32, 200)]


def pixels(height: int, width: int) -> torch.Tensor:
    """A smooth image, uint8 (3, height, width), channels-last."""
    return torch.from_numpy(np.array(picture(2, height, width))).permute(2, 0, 1)


@pytest.fixture
def torchvision_resizes_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on every CPU with AVX2; on an older one it goes through float32, which may be a grey level off."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")


@pytest.mark.usefixtures("torchvision_resizes_bytes")
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_evaluation_equals_torchvision(height: int, width: int) -> None:
    image = pixels(height, width)
    expected = v2.CenterCrop(24)(v2.Resize(28, antialias=True)(image))
    assert torch.equal(CenterCrop(24, 28)(image, None), expected)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_resize_is_within_a_grey_level_of_pillow(height: int, width: int) -> None:
    image = pixels(height, width)
    expected = Image.fromarray(image.permute(1, 2, 0).numpy()).resize((20, 25), Image.Resampling.BILINEAR)
    difference = resize(image, 25, 20).permute(1, 2, 0).int() - torch.from_numpy(np.array(expected)).int()
    assert int(difference.abs().max()) <= 1


def test_short_side_and_proportions() -> None:
    assert short_side_size(60, 80, 30) == (30, 40)
    assert short_side_size(80, 61, 30) == (39, 30)
    image = pixels(40, 50)
    assert resize(image, 40, 50) is image


@pytest.mark.parametrize(("height", "width"), [(375, 500), (100, 100), (60, 400)])
def test_boxes_are_distributed_as_torchvision_s(height: int, width: int) -> None:
    scale, ratio, count = (0.08, 1.0), (3 / 4, 4 / 3), 3000
    own = torch.tensor(
        [
            random_resized_crop_box(height, width, SampleGenerator(seed * 7919), scale, ratio)
            for seed in range(count)
        ]
    ).double()
    torch.manual_seed(0)
    blank = torch.empty(1, height, width)
    theirs = torch.tensor(
        [ReferenceCrop.get_params(blank, list(scale), list(ratio)) for _ in range(count)]
    ).double()
    tops, lefts, heights, widths = own.T
    assert bool((tops >= 0).all() and (tops + heights <= height).all())
    assert bool((lefts >= 0).all() and (lefts + widths <= width).all())
    for own_column, their_column in zip(own.T, theirs.T, strict=True):
        # two-sample Kolmogorov-Smirnov, at a level that one run in ten million fails
        grid = torch.cat([own_column, their_column]).unique()
        own_share = torch.searchsorted(own_column.sort().values, grid, right=True) / count
        their_share = torch.searchsorted(their_column.sort().values, grid, right=True) / count
        assert float((own_share - their_share).abs().max()) < 2.9 * (2 / count) ** 0.5


def test_box_of_a_very_long_image_is_the_largest_central_one() -> None:
    box = random_resized_crop_box(10, 1000, SampleGenerator(0), (0.9, 1.0), (3 / 4, 4 / 3))
    assert box == (0, 493, 10, 13)
    box = random_resized_crop_box(1000, 10, SampleGenerator(0), (0.9, 1.0), (3 / 4, 4 / 3))
    assert box == (493, 0, 13, 10)


@pytest.mark.parametrize("transform", [RandomResizedCrop(16), ScaleJitter(16, (20, 30))])
def test_training_crops_depend_on_the_seed_alone(transform: RandomResizedCrop | ScaleJitter) -> None:
    image = pixels(60, 80)
    first = transform(image, 5)
    torch.manual_seed(99)
    assert torch.equal(transform(image, 5), first)
    assert first.shape == (3, 16, 16)
    assert first.dtype == torch.uint8
    assert not torch.equal(transform(image, 6), first)


def test_scale_jitter_uses_its_whole_range() -> None:
    image = pixels(60, 60)
    # the brightness of a corner crop depends on the scale; what is tested is that both ends are drawn
    generator_range = {20 + SampleGenerator(seed).integer(11) for seed in range(300)}
    assert generator_range == set(range(20, 31))
    assert ScaleJitter(20, (20, 20))(image, 1).shape == (3, 20, 20)


@pytest.mark.usefixtures("torchvision_resizes_bytes")
def test_scale_jitter_is_resize_then_crop() -> None:
    image = pixels(60, 80)
    generator = SampleGenerator(42)
    side = 20 + generator.integer(11)
    resized = v2.Resize(side, antialias=True)(image)
    top, left = generator.integer(resized.shape[1] - 15), generator.integer(resized.shape[2] - 15)
    expected = resized[:, top : top + 16, left : left + 16]
    assert torch.equal(ScaleJitter(16, (20, 30))(image, 42), expected)
