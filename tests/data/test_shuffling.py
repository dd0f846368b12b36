"""Repeated augmentation: every image so many times in a pass, anew each time, wherever a run runs."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
import torch

from resnet_zoo.data.order import TrainingOrder
from resnet_zoo.data.shuffling import samples_of_epoch


@pytest.mark.parametrize("repeats", [2, 3, 4])
@pytest.mark.parametrize(("num_samples", "batch_size"), [(48, 12), (50, 12), (7, 4), (96, 24)])
def test_a_pass_takes_every_image_equally_often(num_samples: int, batch_size: int, repeats: int) -> None:
    seeds: list[int] = []
    for number in range(2):
        images: list[int] = []
        for epoch in range(number * repeats, (number + 1) * repeats):
            sources, own = samples_of_epoch(num_samples, batch_size, repeats, 5, epoch)
            assert len(sources) == num_samples
            images += sources.tolist()
            seeds += own.tolist()
        assert Counter(images) == dict.fromkeys(range(num_samples), repeats)
    assert len(set(seeds)) == len(seeds) == 2 * repeats * num_samples


def test_an_update_holds_few_images_as_far_apart_as_can_be() -> None:
    sources, _ = samples_of_epoch(480, 24, 3, 0, 0)
    for update in sources.view(-1, 24):
        takes = update.view(3, 8)
        assert len(set(takes[0].tolist())) == 8
        assert torch.equal(takes[0], takes[1])
        assert torch.equal(takes[0], takes[2])


def test_takes_are_on_different_ranks() -> None:
    ranks = [
        TrainingOrder(480, 24, 0, rank, 3, 1, repeats=3).plan(2).sources.view(-1, 8) for rank in range(3)
    ]
    for slots in zip(*ranks, strict=True):
        assert all(len(set(slot.tolist())) == 8 for slot in slots)
        assert torch.equal(slots[0], slots[1])


@pytest.mark.parametrize(("world_size", "accumulation"), list(itertools.product((1, 2, 3), (1, 2))))
@pytest.mark.parametrize("num_samples", [48, 53])
def test_the_same_samples_on_any_number_of_ranks(
    num_samples: int, world_size: int, accumulation: int
) -> None:
    def samples(world_size: int, accumulation: int) -> list[tuple[int, int]]:
        plans = [
            TrainingOrder(num_samples, 12, 3, rank, world_size, accumulation, repeats=2).plan(1)
            for rank in range(world_size)
        ]
        found = []
        for batch, plan in itertools.product(range(len(plans[0].update_sizes)), plans):
            piece = plan.piece(batch)
            assert plan.seeds is not None
            pairs = zip(plan.indices[piece].tolist(), plan.seeds[piece].tolist(), strict=True)
            found += [pair for pair in pairs if pair[0] >= 0]
        return found

    assert samples(world_size, accumulation) == samples(1, 1)


def test_without_repeats_nothing_has_changed() -> None:
    """Guards the order and the augmentation of published runs."""
    sources, seeds = samples_of_epoch(10, 4, 1, 0, 0)
    plan = TrainingOrder(10, 4, 0).plan(0)
    assert plan.seeds is not None
    assert sources.tolist() == plan.sources.tolist()[:10]
    assert seeds.tolist() == plan.seeds.tolist()[:10]


def test_the_number_of_repeats_belongs_to_the_order() -> None:
    orders = [TrainingOrder(48, 12, 0, repeats=repeats).identity() for repeats in (1, 3)]
    assert orders[0] != orders[1]
