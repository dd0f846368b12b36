"""The counter-based generator: known values, the same draws one by one, uniformity."""

from __future__ import annotations

import math

import pytest
import torch

from resnet_zoo.data import random
from resnet_zoo.data.random import SampleGenerator

SEEDS = random.combine(7, torch.arange(20_000))


def test_matches_published_values_of_splitmix64() -> None:
    generator = SampleGenerator(1234567)
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert [generator.word() for _ in published] == published


def test_tensor_and_plain_python_draw_the_same() -> None:
    draws = torch.stack([random.words(SEEDS[:50], draw) for draw in range(12)], dim=1)
    for seed, expected in zip(SEEDS[:50].tolist(), draws.tolist(), strict=True):
        generator = SampleGenerator(seed)
        assert [generator.word() - (1 << 64) * (word < 0) for word in expected] == expected


def test_integers_are_the_same_one_by_one() -> None:
    highs = (9, 2, 1000, 2**31)
    together = random.integers(SEEDS[:100], 3, highs)
    for column, seed in enumerate(SEEDS[:100].tolist()):
        generator = SampleGenerator(seed)
        for _ in range(3):
            generator.word()
        assert [generator.integer(high) for high in highs] == together[:, column].tolist()


@pytest.mark.parametrize("high", [2, 9, 100])
def test_integers_are_uniform(high: int) -> None:
    counts = torch.bincount(random.integers(SEEDS, 5, (high,))[0], minlength=high).double()
    expected = len(SEEDS) / high
    chi_squared = float(((counts - expected) ** 2 / expected).sum())
    freedom = high - 1
    assert chi_squared < freedom + 5 * math.sqrt(2 * freedom)  # five standard deviations


def test_uniforms_fill_the_unit_interval() -> None:
    values = random.uniforms(SEEDS, 2)
    assert values.dtype == torch.float32
    assert float(values.min()) >= 0 and float(values.max()) < 1  # noqa: PT018
    assert float(values.mean()) == pytest.approx(0.5, abs=5 / math.sqrt(12 * len(SEEDS)))
    assert float(values.var()) == pytest.approx(1 / 12, rel=0.05)


def test_normals_have_mean_zero_and_variance_one() -> None:
    values = random.normals(SEEDS, 4)
    assert bool(values.isfinite().all())
    assert float(values.mean()) == pytest.approx(0, abs=5 / math.sqrt(len(SEEDS)))
    assert float(values.var()) == pytest.approx(1, rel=0.06)


def test_different_draws_and_different_seeds_are_uncorrelated() -> None:
    first, second = random.uniforms(SEEDS, 0), random.uniforms(SEEDS, 1)
    for one, other in ((first, second), (first[:-1], first[1:])):
        correlation = torch.corrcoef(torch.stack([one, other]))[0, 1]
        assert abs(float(correlation)) < 5 / math.sqrt(len(SEEDS))


def test_combine_gives_distinct_seeds_and_minds_the_order() -> None:
    seeds = random.combine(0, 3, torch.arange(100_000))
    assert len(seeds.unique()) == 100_000
    assert int(random.combine(1, 2)) != int(random.combine(2, 1))
    assert int(random.combine(5, -1)) == int(random.combine(5, 2**64 - 1))


def test_a_draw_does_not_depend_on_the_others_in_the_batch() -> None:
    assert torch.equal(random.uniforms(SEEDS, 9)[100:110], random.uniforms(SEEDS[100:110], 9))


def test_sample_generator_stays_in_its_bounds() -> None:
    generator = SampleGenerator(-5)
    assert all(2.5 <= generator.uniform(2.5, 3.0) < 3.0 for _ in range(1000))
    assert {generator.integer(3) for _ in range(200)} == {0, 1, 2}
