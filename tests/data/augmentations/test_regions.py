"""Random erasing and Cutout: torchvision's pixels, torchvision's rectangles, each image by its own seed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms import RandomErasing as ReferenceErasing
from torchvision.transforms.v2 import functional as reference

from resnet_zoo.data import random
from resnet_zoo.data.augmentations import Cutout, RandomErasing, RegionAugmentation
from resnet_zoo.errors import InvalidValue

SEEDS = random.combine(9, torch.arange(64))
ALL = [RandomErasing(0.7), RandomErasing(0.7, fill="noise"), Cutout(5)]


def images_of(count: int = 64, height: int = 14, width: int = 18) -> Tensor:
    """Normal float32 (count, 3, height, width), channels-last."""
    values = torch.randn(count, height, width, 3, generator=torch.Generator().manual_seed(0))
    return values.permute(0, 3, 1, 2)


def test_erasing_equals_torchvision_image_by_image() -> None:
    erasing = RandomErasing(0.7)
    erased = erasing(images_of(), SEEDS, 2000)
    boxes = torch.stack(erasing.boxes(SEEDS, 2000, 14, 18), dim=1).tolist()
    for image, result, (top, left, bottom, right) in zip(images_of(), erased, boxes, strict=True):
        assert torch.equal(
            result, reference.erase(image, top, left, bottom - top, right - left, torch.zeros(1))
        )
    assert erased.is_contiguous(memory_format=torch.channels_last)


def test_rectangles_are_distributed_as_torchvision_s() -> None:
    height, width, scale, ratio, count = 40, 60, (0.02, 0.33), (0.3, 3.3), 3000
    seeds = random.combine(1, torch.arange(count))
    top, left, bottom, right = RandomErasing(1.0, scale, ratio).boxes(seeds, 0, height, width)
    assert int(top.min()) >= 0
    assert int(left.min()) >= 0
    assert int(bottom.max()) <= height
    assert int(right.max()) <= width
    torch.manual_seed(0)
    blank = torch.empty(1, height, width)
    theirs = torch.tensor(
        [ReferenceErasing.get_params(blank, scale, ratio, [0.0])[:4] for _ in range(count)]
    ).T
    for own_column, their_column in zip((top, left, bottom - top, right - left), theirs, strict=True):
        # two-sample Kolmogorov-Smirnov, at a level that one run in ten million fails
        grid = torch.cat([own_column, their_column]).unique()
        own_share = torch.searchsorted(own_column.sort().values, grid, right=True) / count
        their_share = torch.searchsorted(their_column.sort().values, grid, right=True) / count
        assert float((own_share - their_share).abs().max()) < 2.9 * (2 / count) ** 0.5


def test_share_of_images_that_lose_a_rectangle() -> None:
    seeds = random.combine(2, torch.arange(8000))
    areas = RandomErasing(0.25).boxes(seeds, 0, 32, 32).area()
    assert float((areas > 0).float().mean()) == pytest.approx(0.25, abs=0.025)


def test_noise_is_standard_normal_and_only_inside() -> None:
    erasing, images = RandomErasing(1.0, (0.3, 0.33), fill="noise"), torch.full((64, 3, 32, 32), 7.0)
    erased = erasing(images.clone(), SEEDS, 0)
    mask = erasing.boxes(SEEDS, 0, 32, 32).mask(32, 32, channels=1).unsqueeze(1).expand_as(images)
    assert bool((erased[~mask] == 7.0).all())
    noise = erased[mask]
    assert float(noise.mean()) == pytest.approx(0.0, abs=0.03)
    assert float(noise.std()) == pytest.approx(1.0, abs=0.03)
    assert float((noise.abs() < 1).float().mean()) == pytest.approx(0.6827, abs=0.01)
    assert len(noise.unique()) > 0.99 * len(noise)


def test_cutout_is_the_paper_s_square_cut_off_at_the_borders() -> None:
    size, images = 6, images_of()
    cut = Cutout(size)(images.clone(), SEEDS, 2000)
    rows, columns = random.integers(SEEDS, 2000, (14, 18))
    for image, result, row, column in zip(images, cut, rows.tolist(), columns.tolist(), strict=True):
        expected = image.clone()
        expected[:, max(0, row - 3) : row + 3, max(0, column - 3) : column + 3] = 0
        assert torch.equal(result, expected)


def test_centres_of_cutout_are_even_over_the_image() -> None:
    seeds = random.combine(3, torch.arange(9000))
    cut = Cutout(2)(torch.ones(9000, 3, 3, 3), seeds, 0)[:, :1]
    # a square of two pixels reaches from the pixel before its centre to the centre: as often at every centre
    counts = (cut == 0).sum((0, 1)).double()
    assert counts[0, 0] == pytest.approx(4000, rel=0.1)
    assert counts[2, 2] == pytest.approx(1000, rel=0.15)


@pytest.mark.parametrize("region", ALL, ids=repr)
@pytest.mark.parametrize("channels_last", [True, False])
def test_an_image_s_region_does_not_depend_on_its_batch(
    region: RegionAugmentation, channels_last: bool
) -> None:
    images = images_of() if channels_last else images_of().contiguous()
    part = torch.randperm(64, generator=torch.Generator().manual_seed(1))[:17]
    whole = region(images.clone(), SEEDS, 2000)
    assert torch.equal(region(images[part], SEEDS[part], 2000), whole[part])
    assert not torch.equal(region(images.clone(), SEEDS, 2100), whole)
    assert torch.equal(region(images_of(), SEEDS, 2000), whole)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("region", ALL, ids=repr)
def test_the_same_on_a_gpu(region: RegionAugmentation) -> None:
    on_gpu = region(images_of().cuda(), SEEDS.cuda(), 2000)
    torch.testing.assert_close(on_gpu.cpu(), region(images_of(), SEEDS, 2000), rtol=1e-5, atol=1e-5)


def test_what_is_not_allowed() -> None:
    with pytest.raises(InvalidValue, match=r"scale=\[0.5, 0.2\] is not allowed"):
        RandomErasing(scale=(0.5, 0.2))
    with pytest.raises(InvalidValue, match=r"ratio=\[0, 1\] is not allowed"):
        RandomErasing(ratio=(0, 1))
    with pytest.raises(InvalidValue, match=r"Did you mean 'noise'"):
        RandomErasing(fill="noises")  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match=r"size=1 is not allowed"):
        Cutout(1)
    with pytest.raises(
        InvalidValue, match=r"size=16 is larger than the images of 8 pixels. Use at most 8, e.g. 4"
    ):
        Cutout(16).check(8)
