"""Training and evaluation order: the same images wherever a run runs, each exactly once."""

from __future__ import annotations

import itertools

import pytest
import torch

from resnet_zoo.data.epoch_plan import EpochPlan
from resnet_zoo.data.order import EvaluationOrder, TrainingOrder
from resnet_zoo.data.shuffling import permutation
from resnet_zoo.errors import InvalidValue

WORLDS = list(itertools.product((1, 2, 3, 4), (1, 2)))


def plans(
    num_samples: int, batch_size: int, world_size: int, accumulation: int, epoch: int = 0
) -> list[EpochPlan]:
    """The plans of all ranks."""
    return [
        TrainingOrder(num_samples, batch_size, 11, rank, world_size, accumulation).plan(epoch)
        for rank in range(world_size)
    ]


def updates(
    num_samples: int, batch_size: int, world_size: int, accumulation: int, epoch: int = 0
) -> list[list[int]]:
    """The real images of every update, slot after slot."""
    ranks = plans(num_samples, batch_size, world_size, accumulation, epoch)
    num_batches = len(ranks[0].update_sizes)
    result = []
    for start in range(0, num_batches, accumulation):
        slots = [
            plan.indices[plan.piece(batch)] for batch in range(start, start + accumulation) for plan in ranks
        ]
        together = torch.cat(slots)
        result.append(together[together >= 0].tolist())
    return result


@pytest.mark.parametrize(("world_size", "accumulation"), WORLDS)
@pytest.mark.parametrize("num_samples", [24, 25, 47, 48, 49, 100, 167])
def test_updates_hold_the_same_images_in_the_same_order_everywhere(
    num_samples: int, world_size: int, accumulation: int
) -> None:
    one_rank = updates(num_samples, 24, 1, 1, epoch=3)
    assert updates(num_samples, 24, world_size, accumulation, epoch=3) == one_rank
    assert sorted(sum(one_rank, [])) == list(range(num_samples))  # noqa: RUF017


@pytest.mark.parametrize(("world_size", "accumulation"), WORLDS)
@pytest.mark.parametrize("rest", range(1, 24))
def test_last_update_is_spread_evenly_and_every_rank_takes_every_step(
    rest: int, world_size: int, accumulation: int
) -> None:
    ranks = plans(24 + rest, 24, world_size, accumulation)
    assert {len(plan.update_sizes) for plan in ranks} == {2 * accumulation}
    real = []
    for plan, batch in itertools.product(ranks, range(accumulation, 2 * accumulation)):
        indices, sources = plan.indices[plan.piece(batch)], plan.sources[plan.piece(batch)]
        assert len(indices) >= 2
        assert plan.update_sizes[batch] == rest
        assert bool((sources >= 0).all())
        assert bool((indices[indices >= 0] == sources[indices >= 0]).all())
        real.append(int((indices >= 0).sum()))
    assert sum(real) == rest
    assert max(real) - min(real) <= 1


@pytest.mark.parametrize(("world_size", "accumulation"), WORLDS)
def test_weighted_losses_average_to_the_mean_over_the_update(world_size: int, accumulation: int) -> None:
    losses = torch.rand(61, dtype=torch.float64)
    ranks = plans(61, 24, world_size, accumulation)
    for update in range(3):
        batches = range(update * accumulation, (update + 1) * accumulation)
        weighted, images = [], []
        for plan, batch in itertools.product(ranks, batches):
            real = plan.indices[plan.piece(batch)]
            real = real[real >= 0]
            images.append(real)
            weighted.append(losses[real].sum() * world_size * accumulation / plan.update_sizes[batch])
        # DDP averages over ranks, Lightning divides by the number of accumulated batches
        average = sum(weighted) / (world_size * accumulation)
        assert float(average) == pytest.approx(float(losses[torch.cat(images)].mean()), rel=1e-12)


@pytest.mark.parametrize("accumulation", [1, 2, 3])
@pytest.mark.parametrize("num_samples", [48, 49, 53, 58, 71])
def test_images_of_a_batch_over_all_ranks_do_not_depend_on_the_number_of_ranks(
    num_samples: int, accumulation: int
) -> None:
    def over_all_ranks(world_size: int) -> list[list[int]]:
        ranks = plans(num_samples, 24, world_size, accumulation)
        batches = range(len(ranks[0].update_sizes))
        together = [torch.cat([plan.indices[plan.piece(batch)] for plan in ranks]) for batch in batches]
        return [indices[indices >= 0].tolist() for indices in together]

    assert over_all_ranks(2) == over_all_ranks(4) == over_all_ranks(1)


def test_slot_of_a_rank_is_contiguous() -> None:
    whole = TrainingOrder(96, 24, 0).plan(0).sources
    for rank, batch in itertools.product(range(2), range(6)):
        plan = TrainingOrder(96, 24, 0, rank, 2, 3).plan(0)
        update, micro = divmod(batch, 3)
        start = update * 24 + (micro * 2 + rank) * 4
        assert torch.equal(plan.sources[plan.piece(batch)], whole[start : start + 4])


def test_seeds_belong_to_seed_epoch_and_image() -> None:
    def seed_of(image: int, **where: int) -> int:
        epoch = where.pop("epoch", 0)
        plan = TrainingOrder(48, 24, **{"seed": 5, **where}).plan(epoch)  # type: ignore[arg-type]
        assert plan.seeds is not None
        return int(plan.seeds[plan.sources == image][0])

    rank_of_two = [TrainingOrder(48, 24, 5, rank, 2, 2).plan(0) for rank in range(2)]
    for plan in rank_of_two:
        assert plan.seeds is not None
        for image, seed in zip(plan.sources.tolist(), plan.seeds.tolist(), strict=True):
            assert seed == seed_of(image)
    assert seed_of(7) != seed_of(7, epoch=1)
    assert seed_of(7) != seed_of(7, seed=6)
    assert seed_of(7) != seed_of(8)


def test_epochs_and_seeds_are_shuffled_differently() -> None:
    orders = [
        TrainingOrder(500, 50, seed).plan(epoch).sources.tolist() for seed in (0, 1) for epoch in (0, 1)
    ]
    assert len({tuple(order) for order in orders}) == 4
    assert TrainingOrder(500, 50, 1).plan(1).sources.tolist() == orders[3]


def test_permutation_is_what_it_was() -> None:
    """Guards the order of published runs: it may never change."""
    assert permutation(10, 0, 0).tolist() == [2, 8, 7, 0, 9, 1, 6, 3, 5, 4]


def test_permutations_are_uniform() -> None:
    first = torch.tensor([int(permutation(5, seed)[0]) for seed in range(2500)])
    counts = torch.bincount(first, minlength=5).double()
    assert float(((counts - 500) ** 2 / 500).sum()) < 25


def test_drop_last_leaves_out_the_shorter_update() -> None:
    order = TrainingOrder(50, 24, 0, drop_last=True)
    assert (order.num_updates, order.num_batches) == (2, 2)
    assert order.plan(0).update_sizes == [24, 24]
    assert TrainingOrder(50, 24, 0).num_updates == 3
    assert TrainingOrder(48, 24, 0).num_updates == 2


@pytest.mark.parametrize(
    ("batch_size", "world_size", "accumulation", "message"),
    [
        (
            250,
            8,
            1,
            "global_batch_size=250 does not divide over 8 ranks. Use a multiple of 8, e.g. 248 or 256.",
        ),
        (
            250,
            8,
            2,
            "global_batch_size=250 does not divide over 8 ranks x 2 accumulated batches. "
            "Use a multiple of 16, e.g. 240 or 256.",
        ),
        (
            10,
            1,
            4,
            "global_batch_size=10 does not divide over 4 accumulated batches. Use a multiple of 4, e.g. 8 or 12.",
        ),
        (4, 8, 1, "global_batch_size=4 does not divide over 8 ranks. Use a multiple of 8, e.g. 8."),
    ],
)
def test_batch_size_that_does_not_divide(
    batch_size: int, world_size: int, accumulation: int, message: str
) -> None:
    with pytest.raises(InvalidValue) as caught:
        TrainingOrder(1000, batch_size, 0, 0, world_size, accumulation)
    assert str(caught.value) == message


@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("batch_size", [1, 3, 8])
@pytest.mark.parametrize("num_samples", [1, 2, 3, 8, 23, 24, 25])
def test_evaluation_counts_every_image_exactly_once(
    num_samples: int, batch_size: int, world_size: int
) -> None:
    seen: list[int] = []
    batches = set()
    for rank in range(world_size):
        order = EvaluationOrder(num_samples, batch_size, rank, world_size)
        plan = order.plan(0)
        batches.add(order.num_batches)
        assert plan.seeds is None
        assert torch.equal(plan.sources, plan.indices)
        lengths = {piece.stop - piece.start for piece in map(plan.piece, range(order.num_batches))}
        assert lengths == {batch_size}
        seen += plan.indices[plan.indices >= 0].tolist()
    assert sorted(seen) == list(range(num_samples))
    assert len(batches) == 1
