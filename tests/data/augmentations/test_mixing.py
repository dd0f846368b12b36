"""MixUp and CutMix: torchvision's pixels, the right distribution of shares, partners that are real images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

from resnet_zoo.data import random
from resnet_zoo.data.augmentations import AugmentationPlan, CutMix, Cutout, MixUp, RandAugment, Shares
from resnet_zoo.data.augmentations.betas import symmetric_beta
from resnet_zoo.data.augmentations.mixing import cut_boxes, mix, partners
from resnet_zoo.data.augmentations.regions import Boxes
from resnet_zoo.data.batch import ImageBatch
from resnet_zoo.errors import InvalidValue
from resnet_zoo.losses import soft_targets

SEEDS = random.combine(4, torch.arange(32))
LABELS = torch.arange(32) % 10


def images_of(count: int = 32, height: int = 12, width: int = 16) -> Tensor:
    values = torch.randn(count, height, width, 3, generator=torch.Generator().manual_seed(0))
    return values.permute(0, 3, 1, 2)


def batch_of(images: Tensor, labels: Tensor = LABELS, seeds: Tensor = SEEDS) -> ImageBatch:
    return ImageBatch(images, labels, torch.arange(len(labels)), seeds, len(labels))


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.5, 1.0, 2.0, 8.0])
def test_shares_have_a_beta_distribution(alpha: float) -> None:
    count = 20_000
    own = symmetric_beta(random.uniforms(random.combine(7, torch.arange(count)), 0), alpha).double()
    assert float(own.min()) >= 0
    assert float(own.max()) <= 1
    assert float(own.var()) == pytest.approx(0.25 / (2 * alpha + 1), rel=0.04)
    theirs = torch.from_numpy(np.random.default_rng(0).beta(alpha, alpha, count))
    grid = torch.linspace(0, 1, 2001, dtype=torch.float64)
    own_share, their_share = (
        torch.searchsorted(values.sort().values, grid, right=True) / count for values in (own, theirs)
    )
    assert float((own_share - their_share).abs().max()) < 2.9 * (2 / count) ** 0.5


def test_mixup_equals_torchvision() -> None:
    share = 0.3
    shares = Shares(torch.full((32,), share), blend=torch.full((32,), share))
    mixed, mixture = mix(images_of(), LABELS, shares)
    theirs, parameters = v2.MixUp(num_classes=10), {"lam": share, "labels": LABELS, "batch_size": 32}
    torch.testing.assert_close(mixed, theirs.transform(images_of(), parameters), rtol=1e-5, atol=1e-6)
    expected = theirs.transform(LABELS, parameters)
    torch.testing.assert_close(soft_targets(LABELS, 10, mixture), expected)
    assert mixed.is_contiguous(memory_format=torch.channels_last)


def test_cutmix_equals_torchvision() -> None:
    box = (3, 2, 9, 11)  # left, top, right, bottom
    replaced = Boxes(*(torch.full((32,), edge) for edge in (box[1], box[0], box[3], box[2]))).mask(12, 16)
    share = 1 - 6 * 9 / (12 * 16)
    mixed, mixture = mix(images_of(), LABELS, Shares(torch.full((32,), share), replaced=replaced))
    theirs = v2.CutMix(num_classes=10)
    parameters = {"box": box, "lam_adjusted": share, "labels": LABELS, "batch_size": 32}
    assert torch.equal(mixed, theirs.transform(images_of(), parameters))
    torch.testing.assert_close(soft_targets(LABELS, 10, mixture), theirs.transform(LABELS, parameters))


def test_rectangles_are_torchvision_s() -> None:
    generator = torch.Generator().manual_seed(5)
    own = torch.rand(300, generator=generator)
    rows, columns = (
        torch.randint(0, 12, (300,), generator=generator),
        torch.randint(0, 16, (300,), generator=generator),
    )
    boxes = torch.stack(cut_boxes(own, rows, columns, 12, 16), dim=1).tolist()
    for found, share, row, column in zip(boxes, own.tolist(), rows.tolist(), columns.tolist(), strict=True):
        r = 0.5 * (1.0 - share) ** 0.5
        half_width, half_height = int(r * 16), int(r * 12)
        expected = [
            max(row - half_height, 0), max(column - half_width, 0),
            min(row + half_height, 12), min(column + half_width, 16),
        ]  # fmt: skip
        assert found == expected


def test_weights_of_cutmix_are_the_pixels_that_stay() -> None:
    images = images_of()
    batch = AugmentationPlan([CutMix()]).on_device(batch_of(images.clone()))
    assert batch.mix is not None
    stays = (batch.images == images).all(dim=1).float().mean(dim=(1, 2))
    torch.testing.assert_close(batch.mix.weights, stays)
    assert torch.equal(batch.mix.labels, LABELS.roll(1))


@pytest.mark.parametrize("padded", [[], [31], [30, 31], [0, 5, 31], list(range(1, 32)), list(range(32))])
def test_padding_is_nobody_s_partner(padded: list[int]) -> None:
    real = torch.ones(32, dtype=torch.bool)
    real[padded] = False
    found = partners(real)
    assert found[padded].tolist() == padded
    assert sorted(found[real].tolist()) == torch.nonzero(real).flatten().tolist()
    if int(real.sum()) > 1:
        assert bool((found != torch.arange(32))[real].all())


def test_padding_stays_as_it_is_and_a_lone_image_is_not_changed() -> None:
    labels = torch.tensor([3, -1, -1])
    images = images_of(3)
    batch = AugmentationPlan([MixUp(1.0, 0.5), CutMix(1.0, 0.5)]).on_device(
        batch_of(images.clone(), labels, SEEDS[:3])
    )
    assert batch.mix is not None
    torch.testing.assert_close(batch.images, images)
    assert batch.mix.labels.tolist() == [3, -1, -1]
    assert batch.mix.dominant(labels).tolist() == [3, -1, -1]


def test_one_of_two_ways_for_every_image_in_proportion() -> None:
    count = 6000
    seeds, labels = random.combine(8, torch.arange(count)), torch.arange(count)
    images = torch.arange(count).float().view(-1, 1, 1, 1).expand(-1, 3, 8, 8)
    batch = AugmentationPlan([MixUp(1.0, 0.3), CutMix(1.0, 0.5)]).on_device(batch_of(images, labels, seeds))
    assert batch.mix is not None
    whole, even = batch.mix.weights == 1, (batch.images == batch.images[:, :, :1, :1]).all(dim=(1, 2, 3))
    blended = even & ~whole & (batch.images[:, 0, 0, 0] % 1 != 0)
    cut = ~even
    assert float(blended.float().mean()) == pytest.approx(0.3, abs=0.03)
    assert float(cut.float().mean()) == pytest.approx(0.5, abs=0.06)  # some rectangles are empty
    values = images[:, 0, 0, 0] * batch.mix.weights + images.roll(1, 0)[:, 0, 0, 0] * (1 - batch.mix.weights)
    torch.testing.assert_close(batch.images.mean(dim=(1, 2, 3)), values, rtol=1e-3, atol=0.2)


def test_shares_do_not_depend_on_the_batch() -> None:
    plan, part = AugmentationPlan([MixUp(0.2, 0.5), CutMix(1.0, 0.5)]), torch.tensor([7, 3, 20, 11])
    whole, some = (
        plan.on_device(batch_of(images_of()[rows], LABELS[rows], SEEDS[rows])).mix
        for rows in (torch.arange(32), part)
    )
    assert whole is not None
    assert some is not None
    assert torch.equal(some.weights, whole.weights[part])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_same_on_a_gpu() -> None:
    plan = AugmentationPlan([Cutout(4), MixUp(0.2, 0.5), CutMix(1.0, 0.5)])
    here = plan.on_device(batch_of(images_of()))
    there = plan.on_device(batch_of(images_of().cuda(), LABELS.cuda(), SEEDS.cuda()))
    torch.testing.assert_close(there.images.cpu(), here.images)
    assert here.mix is not None
    assert there.mix is not None
    torch.testing.assert_close(there.mix.weights.cpu(), here.mix.weights)
    assert torch.equal(there.mix.labels.cpu(), here.mix.labels)


def test_an_order_that_cannot_be_kept_is_refused() -> None:
    with pytest.raises(
        InvalidValue, match=r"MixUp is listed before RandAugment, but .*List RandAugment first"
    ):
        AugmentationPlan([MixUp(), RandAugment()])
    with pytest.raises(InvalidValue, match=r"CutMix is listed before Cutout"):
        AugmentationPlan([CutMix(), Cutout()])


def test_mixing_more_than_all_images_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"MixUp and CutMix have probabilities of 1 \+ 0.5"):
        AugmentationPlan([MixUp(), CutMix(probability=0.5)])
    with pytest.raises(InvalidValue, match=r"MixUp: alpha=0 is not allowed"):
        MixUp(0)
    with pytest.raises(InvalidValue, match=r"CutMix: probability=1.5 is not allowed"):
        CutMix(probability=1.5)


def test_mixing_needs_two_images_in_a_batch() -> None:
    AugmentationPlan([MixUp()]).check_partners(8, 4)
    AugmentationPlan([RandAugment()]).check_partners(4, 4)
    with pytest.raises(InvalidValue, match=r"global_batch_size=4 over 4 ranks.*Use 8 or more"):
        AugmentationPlan([MixUp()]).check_partners(4, 4)
