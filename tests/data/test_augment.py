"""Augmentation of whole batches: byte for byte the per-image reference, random by seed alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms import functional as reference

from resnet_zoo.data import random
from resnet_zoo.data.augment import BatchAugmentation, crop_padded

SEEDS = random.combine(3, torch.arange(64))


def images_of(height: int = 12, width: int = 10, count: int = 64) -> Tensor:
    """Random uint8 (count, 3, height, width), channels-last."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, height, width, 3), dtype=torch.uint8, generator=generator)
    return pixels.permute(0, 3, 1, 2)


@pytest.mark.parametrize("pad", [1, 2, 4])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
def test_crop_equals_torchvision_image_by_image(pad: int, mirror: bool, channels_last: bool) -> None:
    images = images_of() if channels_last else images_of().contiguous()
    tops = random.integers(SEEDS, 0, (2 * pad + 1,))[0]
    lefts = random.integers(SEEDS, 1, (2 * pad + 1,))[0]
    flips = random.integers(SEEDS, 2, (2,))[0] if mirror else None
    result = crop_padded(images, pad, tops, lefts, flips)
    for position, image in enumerate(images):
        expected = reference.crop(
            reference.pad(image, [pad] * 4), int(tops[position]), int(lefts[position]), 12, 10
        )
        if flips is not None and flips[position]:
            expected = reference.hflip(expected)
        assert torch.equal(result[position], expected)
    assert result.is_contiguous(memory_format=torch.channels_last)


def test_every_corner_and_both_directions_come_up_equally_often() -> None:
    seeds = random.combine(1, torch.arange(8000))
    # one bright pixel in the middle shows where the crop was and whether it was mirrored
    image = torch.zeros(1, 3, 6, 6, dtype=torch.uint8)
    image[:, 0, 3, 2] = 255
    cropped = BatchAugmentation(pad=1, flip=True).crop_and_flip(image.expand(8000, -1, -1, -1), seeds)
    rows, columns = cropped[:, 0].amax(dim=2).argmax(dim=1), cropped[:, 0].amax(dim=1).argmax(dim=1)
    assert torch.bincount(rows).tolist()[2:] == pytest.approx([8000 / 3] * 3, rel=0.1)
    counts = torch.bincount(columns, minlength=6).tolist()
    # columns 1, 2, 3 unmirrored; 4, 3, 2 mirrored
    assert counts == pytest.approx([0, 1333, 2667, 2667, 1333, 0], rel=0.12)


def test_flip_alone_mirrors_half_of_the_images() -> None:
    images = images_of()
    flipped = BatchAugmentation(flip=True).crop_and_flip(images, SEEDS)
    same = (flipped == images).flatten(1).all(dim=1)
    mirrored = (flipped == images.flip(-1)).flatten(1).all(dim=1)
    assert bool((same ^ mirrored).all())
    assert 16 < int(mirrored.sum()) < 48


def test_nothing_is_asked_for_and_nothing_happens() -> None:
    images = images_of()
    assert BatchAugmentation().crop_and_flip(images, SEEDS) is images
    assert BatchAugmentation().color_offsets(SEEDS) is None


@pytest.mark.parametrize(
    "augmentation", [BatchAugmentation(2, True), BatchAugmentation(2), BatchAugmentation(0, True, 0.1)]
)
def test_an_image_s_augmentation_does_not_depend_on_its_batch(augmentation: BatchAugmentation) -> None:
    images, order = images_of(), torch.randperm(64, generator=torch.Generator().manual_seed(1))[:17]
    whole = augmentation.crop_and_flip(images, SEEDS)
    assert torch.equal(augmentation.crop_and_flip(images[order], SEEDS[order]), whole[order])
    offsets = augmentation.color_offsets(SEEDS)
    if offsets is not None:
        part = augmentation.color_offsets(SEEDS[order])
        assert part is not None
        assert torch.equal(part, offsets[order])


def test_color_noise_has_the_covariance_of_the_principal_components() -> None:
    offsets = BatchAugmentation(color_noise=0.1).color_offsets(random.combine(0, torch.arange(50_000)))
    assert offsets is not None
    vectors = torch.tensor(
        [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
    )
    values = 0.1 * torch.tensor([0.2175, 0.0188, 0.0045])
    expected = vectors @ torch.diag(values**2) @ vectors.T
    torch.testing.assert_close(torch.cov(offsets.T), expected, rtol=0.05, atol=2e-6)
    torch.testing.assert_close(offsets.mean(dim=0), torch.zeros(3), rtol=0, atol=5e-4)


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    BatchAugmentation(2, True, 0.1).crop_and_flip(images_of(), SEEDS)
    BatchAugmentation(2, True, 0.1).color_offsets(SEEDS)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_same_on_a_gpu() -> None:
    augmentation = BatchAugmentation(4, True, 0.1)
    on_gpu = augmentation.crop_and_flip(images_of().cuda(), SEEDS.cuda())
    assert torch.equal(on_gpu.cpu(), augmentation.crop_and_flip(images_of(), SEEDS))
    offsets, expected = augmentation.color_offsets(SEEDS.cuda()), augmentation.color_offsets(SEEDS)
    assert offsets is not None and expected is not None  # noqa: PT018
    torch.testing.assert_close(offsets.cpu(), expected)
