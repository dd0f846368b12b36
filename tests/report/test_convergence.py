"""The convergence rule on curves whose answer is known."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from resnet_zoo.errors import InvalidValue
from resnet_zoo.report.convergence import Convergence, judge_convergence, noise

TRIALS = 40
LENGTHS = (20, 60, 164)


def judge(
    error: Callable[[float], float],
    count: int,
    deviation: Callable[[float], float] | float = 0.3,
    seed: int = 0,
    resolution: float = 0.0,
) -> Convergence:
    """Judge ``error(share of the training done)`` with independent noise."""
    numbers = random.Random(seed)
    spread = deviation if callable(deviation) else lambda _: deviation
    errors = [error(i / count) + numbers.gauss(0.0, spread(i / count)) for i in range(1, count + 1)]
    return judge_convergence(range(1, count + 1), errors, resolution)


def verdicts(error: Callable[[float], float], count: int, **settings: float) -> list[str]:
    return [judge(error, count, seed=seed, **settings).verdict for seed in range(TRIALS)]


@pytest.mark.parametrize("count", LENGTHS)
def test_a_curve_that_levels_off_converged_where_it_did(count: int) -> None:
    for seed in range(TRIALS):
        found = judge(lambda t: 10 + 80 * math.exp(-t * 20), count, 0.3, seed)
        if found.verdict == "converged":
            assert found.epoch is not None
            assert 0.1 * count < found.epoch <= 0.75 * count
        else:
            assert count == 20  # noise of so few evaluations is hard to tell from improvement


@pytest.mark.parametrize("count", LENGTHS)
def test_a_curve_that_still_falls_has_not_converged(count: int) -> None:
    assert set(verdicts(lambda t: 90 - 80 * t, count)) == {"not converged"}


@pytest.mark.parametrize("count", LENGTHS)
@pytest.mark.parametrize("deviation", [0.0, 0.2, 5.0])
def test_a_flat_curve_converged_at_once_however_noisy(count: int, deviation: float) -> None:
    found = [judge(lambda _: 30.0, count, deviation, seed) for seed in range(TRIALS)]
    assert sum(one.verdict == "converged" for one in found) >= TRIALS - 2
    epochs = sorted(one.epoch for one in found if one.epoch is not None)
    assert epochs[len(epochs) // 2] <= 2


@pytest.mark.parametrize("count", LENGTHS)
def test_a_plateau_before_the_learning_rate_drops_is_not_the_end(count: int) -> None:
    def error(t: float) -> float:
        return 10 + 80 * math.exp(-t * 30) + (8 if t <= 0.5 else 2 if t <= 0.75 else 0)

    def deviation(t: float) -> float:
        return 1.5 if t <= 0.5 else 0.2

    found = [judge(error, count, deviation, seed) for seed in range(TRIALS)]
    assert all(one.epoch is None or one.epoch > 0.72 * count for one in found)
    assert sum(one.verdict == "converged" for one in found) >= 0.85 * TRIALS


def test_a_drop_at_the_very_end_leaves_no_time_to_see_convergence() -> None:
    assert set(verdicts(lambda t: 20.0 if t <= 0.95 else 10.0, 60)) == {"not converged"}


def test_overfitting_converged_where_the_error_was_least() -> None:
    for seed in range(TRIALS):
        found = judge(lambda t: 10 + 60 * math.exp(-t * 20) + 9 * max(0.0, t - 1 / 3), 90, 0.3, seed)
        assert found.epoch is not None
        assert 12 <= found.epoch <= 45


def test_unit_and_offset_do_not_matter() -> None:
    errors = [10 + 50 * math.exp(-i / 6) + random.Random(i).gauss(0, 0.4) for i in range(60)]
    first = judge_convergence(range(60), errors)
    assert judge_convergence(range(60), [error / 100 + 3 for error in errors]).epoch == first.epoch


def test_more_tolerance_never_converges_later() -> None:
    errors = [10 + 50 * math.exp(-i / 6) + random.Random(i).gauss(0, 0.4) for i in range(60)]
    epochs = [
        judge_convergence(range(60), errors, resolution).epoch for resolution in (0.0, 0.5, 1.0, 2.0, 5.0)
    ]
    assert None not in epochs
    assert epochs == sorted(epochs, key=lambda epoch: -(epoch or 0))


def test_one_image_is_no_improvement() -> None:
    errors = [10.0] * 20 + [9.75] * 20
    assert judge_convergence(range(40), errors).epoch == 20 - 2 + 2
    assert judge_convergence(range(40), errors, resolution=0.25).epoch == 0


@pytest.mark.parametrize("count", range(8))
def test_a_short_curve_cannot_be_judged(count: int) -> None:
    found = judge_convergence(range(count), [50.0 / (i + 1) for i in range(count)])
    assert found == Convergence("too short", None, None, found.spread)
    assert math.isnan(found.spread)


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(InvalidValue, match="NaN or infinite"):
        judge_convergence(range(10), [math.nan] * 10)
    with pytest.raises(InvalidValue, match="2 epochs and 1 errors"):
        judge_convergence([1, 2], [3])


@pytest.mark.parametrize("deviation", [0.01, 1.0, 20.0])
def test_the_noise_estimate_ignores_trend_and_jumps(deviation: float) -> None:
    numbers = random.Random(1)
    errors = [90 - 0.5 * i - (30 if i > 400 else 0) + numbers.gauss(0, deviation) for i in range(600)]
    assert noise(errors) == pytest.approx(deviation, rel=0.15)
