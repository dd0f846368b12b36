"""When a learning curve stopped improving. A pure function of the curve; standard library only.

The rule, for validation errors e(1) … e(n) in the order of training:

1. The *level* at an evaluation is the median of the five errors around it (fewer at the ends, where the window is cut
   off): single lucky or unlucky evaluations do not count.
2. The *noise* is estimated from second differences, e(i-1) - 2 e(i) + e(i+1), over the last third of the curve (at
   least ten evaluations, or all): they cancel any steady trend, and their median absolute deviation ignores single
   jumps, such as those where the learning rate drops. For independent errors with standard deviation s, second
   differences have sqrt(6) s, and a normal distribution's median absolute deviation is 0.6745 of its standard
   deviation. The end counts, since it is what later improvements would have to rise above: earlier noise is often
   larger, from a larger learning rate.
3. The *spread* is two noises, but no less than what one image more or less would change (``resolution``).
4. The curve *converged* at the first evaluation after which no later level lies below its own level by more than the
   spread, provided that at least three evaluations and a tenth of all follow: whether something still improves cannot
   be seen at the very end.
5. Otherwise it did *not converge*. With fewer than eight evaluations it is *too short* to tell.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from resnet_zoo.errors import InvalidValue

FEWEST_EVALUATIONS = 8
LEVEL_WINDOW = 5
FEWEST_FOR_NOISE = 10
SPREAD_IN_NOISES = 2.0
_SECOND_DIFFERENCE_DEVIATION = math.sqrt(6.0)
_NORMAL_MEDIAN_DEVIATION = statistics.NormalDist().inv_cdf(0.75)


@dataclass(frozen=True)
class Convergence:
    """What the rule says of a curve.

    Attributes:
        verdict: see the module's rule.
        epoch: where it converged; None if it did not or cannot be told.
        error: the error at that epoch; None with it.
        spread: improvements up to this size count as none; NaN for a curve that is too short.
    """

    verdict: Literal["converged", "not converged", "too short"]
    epoch: float | None
    error: float | None
    spread: float


def judge_convergence(
    epochs: Sequence[float], errors: Sequence[float], resolution: float = 0.0
) -> Convergence:
    """Find the epoch after which further training no longer improved the error by more than the curve's spread.

    Args:
        epochs: when each evaluation was made, increasing.
        errors: the validation error of each, in any unit; less is better.
        resolution: the least change an error can make, in the same unit: 100 / images for a percentage.

    Raises:
        InvalidValue: the two differ in length, or a number is not finite (a diverged run has no curve to judge).
    """
    if len(epochs) != len(errors):
        raise InvalidValue(f"{len(epochs)} epochs and {len(errors)} errors. Each error needs its epoch.")
    if not all(map(math.isfinite, (*epochs, *errors))):
        raise InvalidValue(
            "a curve with NaN or infinite values cannot have converged. Judge the part before them."
        )
    count = len(errors)
    if count < FEWEST_EVALUATIONS:
        return Convergence("too short", None, None, math.nan)
    spread = max(SPREAD_IN_NOISES * noise(errors[-max(FEWEST_FOR_NOISE, count // 3) :]), resolution)
    level = levels(errors)
    following = max(3, math.ceil(count / 10))
    # From the end, so that the lowest level after each evaluation is known.
    lowest_later, found = math.inf, count
    for position in range(count - 1, -1, -1):
        if level[position] - lowest_later <= spread + 1e-9 * abs(level[position]):
            found = position
        lowest_later = min(lowest_later, level[position])
    if found > count - 1 - following:
        return Convergence("not converged", None, None, spread)
    return Convergence("converged", epochs[found], errors[found], spread)


def levels(errors: Sequence[float]) -> list[float]:
    """The running median; at the ends over the part of the window that is there."""
    half = LEVEL_WINDOW // 2
    return [
        statistics.median(errors[max(0, position - half) : position + half + 1])
        for position in range(len(errors))
    ]


def noise(errors: Sequence[float]) -> float:
    """A robust standard deviation of the errors around their trend; at least three are needed."""
    bends = [
        before - 2 * here + after for before, here, after in zip(errors, errors[1:], errors[2:], strict=False)
    ]
    middle = statistics.median(bends)
    deviation = statistics.median(abs(bend - middle) for bend in bends)
    return deviation / _NORMAL_MEDIAN_DEVIATION / _SECOND_DIFFERENCE_DEVIATION
