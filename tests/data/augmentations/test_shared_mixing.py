"""One share for several images of an update: the same ones wherever a run runs, and timm's images and targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from resnet_zoo.data import Synthetic
from resnet_zoo.data.augmentations import AugmentationPlan, CutMix, MixUp, Shares
from resnet_zoo.data.augmentations.mixing import mix
from resnet_zoo.data.augmentations.regions import Boxes
from resnet_zoo.data.batch import ImageBatch
from resnet_zoo.data.loaders import ImageLoader
from resnet_zoo.data.order import TrainingOrder
from resnet_zoo.errors import InvalidValue
from resnet_zoo.losses import soft_targets

BOTH = [MixUp(0.4, 0.5, images_per_share=8), CutMix(1.0, 0.5, images_per_share=8)]
NEEDS_TIMM = "needs timm, an optional dependency: pip install 'resnet-zoo[timm]'"


def shares_by_image(rank: int, world_size: int, accumulation: int, epoch: int = 3) -> dict[int, int]:
    """The seed of the share of every image that counts, on one rank."""
    order = TrainingOrder(53, 24, 7, rank, world_size, accumulation, images_per_share=8)
    plan = order.plan(epoch)
    assert plan.share_seeds is not None
    pairs = zip(plan.indices.tolist(), plan.share_seeds.tolist(), strict=True)
    return {image: seed for image, seed in pairs if image >= 0}


@pytest.mark.parametrize(("world_size", "accumulation"), [(1, 2), (2, 1), (4, 1), (2, 3)])
def test_an_image_has_its_share_in_common_with_the_same_images_everywhere(
    world_size: int, accumulation: int
) -> None:
    alone = shares_by_image(0, 1, 1)
    together: dict[int, int] = {}
    for rank in range(world_size):
        together |= shares_by_image(rank, world_size, accumulation)
    assert together == alone
    counts = np.unique(list(alone.values()), return_counts=True)[1]
    assert sorted(counts.tolist()) == [5, *[8] * 6], "three shares in each of two updates, one in the last"
    assert not set(alone.values()) & set(shares_by_image(0, 1, 1, epoch=4).values())


def test_a_share_never_reaches_into_the_next_update() -> None:
    plan = TrainingOrder(48, 24, 7, images_per_share=16).plan(0)
    assert plan.share_seeds is not None
    runs = torch.unique_consecutive(plan.share_seeds, return_counts=True)[1]
    assert runs.tolist() == [16, 8, 16, 8]


def batches_of(data: Synthetic, loader: ImageLoader) -> list[ImageBatch]:
    return [data.prepare(batch) for batch in loader]


def test_images_with_a_share_in_common_are_mixed_alike_also_after_a_resume() -> None:
    data = Synthetic(image_size=8, num_train=96, global_batch_size=32, augment=list(BOTH))
    data.set_seed(1)
    loader = data.train_dataloader()
    ways = set()
    batches = []
    for epoch in range(4):
        loader.set_epoch(epoch)
        batches = batches_of(data, loader)
        for batch in batches:
            assert batch.mix is not None
            assert batch.share_seeds is not None
            for seed in batch.share_seeds.unique():
                weights = batch.mix.weights[batch.share_seeds == seed]
                assert len(weights) == 8
                assert len(weights.unique()) == 1
                # what remains of 8x8 pixels after a rectangle is a whole number of pixels
                ways.add(bool((weights[0] * 64 % 1).abs() < 1e-4))
    assert ways == {True, False}
    continued = data.train_dataloader()
    continued.load_state_dict(loader.state_dict() | {"consumed": 1})
    for ours, theirs in zip(batches_of(data, continued), batches[1:], strict=True):
        assert torch.equal(ours.images, theirs.images)
        assert ours.mix is not None
        assert theirs.mix is not None
        assert torch.equal(ours.mix.weights, theirs.mix.weights)


def timms(images: Tensor, labels: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    mixup = pytest.importorskip("timm.data.mixup", reason=NEEDS_TIMM)
    mixed: tuple[Tensor, Tensor] = mixup.Mixup(mode="batch", num_classes=10, **arguments)(
        images.clone(), labels
    )
    return mixed


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_timm_blends_a_batch_in_the_same_way(monkeypatch: pytest.MonkeyPatch, smoothing: float) -> None:
    """Of two images, since timm takes the batch in reverse order for partners."""
    images, labels = torch.rand(2, 3, 12, 16), torch.tensor([3, 8])
    monkeypatch.setattr(np.random, "beta", lambda *alphas: 0.3)
    theirs, targets = timms(images, labels, mixup_alpha=0.2, label_smoothing=smoothing)
    share = torch.full((2,), 0.3)
    ours, mixture = mix(images, labels, Shares(share, blend=share))
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(soft_targets(labels, 10, mixture, smoothing), targets)


def test_timm_cuts_the_same_rectangle_out_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = torch.rand(2, 3, 12, 16), torch.tensor([3, 8])
    mixup = pytest.importorskip("timm.data.mixup", reason=NEEDS_TIMM)
    monkeypatch.setattr(mixup, "rand_bbox", lambda *arguments, **more: (2, 9, 5, 16))
    theirs, targets = timms(images, labels, mixup_alpha=0.0, cutmix_alpha=1.0, label_smoothing=0.0)
    boxes = Boxes(*(torch.full((2,), edge) for edge in (2, 5, 9, 16)))
    weights = 1 - boxes.area() / (12 * 16)
    ours, mixture = mix(images, labels, Shares(weights, replaced=boxes.mask(12, 16)))
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(soft_targets(labels, 10, mixture), targets)


def test_ways_with_shares_for_different_numbers_of_images_are_refused() -> None:
    with pytest.raises(InvalidValue, match=r"images_per_share differs, MixUp for 8 and CutMix for 1 images"):
        AugmentationPlan([BOTH[0], CutMix(1.0, 0.5)])
    with pytest.raises(InvalidValue, match=r"MixUp: images_per_share=0 is not allowed. Use 1 or more"):
        MixUp(images_per_share=0)
