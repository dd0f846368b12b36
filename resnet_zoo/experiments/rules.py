"""Rules that decide a claim: pure functions of measured numbers, one for each seed. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from resnet_zoo.report.figures import Verdict

Numbers = Sequence[float]


@dataclass(frozen=True)
class Rule:
    """How numbers decide a claim.

    Args:
        text: the rule in words.
        holds: whether it is met; gets as many lists of numbers as the claim has, each with one number a seed.
    """

    text: str
    holds: Callable[..., bool]

    def decide(self, *measured: Numbers, num_seeds: int) -> Verdict:
        """The verdict.

        A number that is NaN comes from a run that diverged, and such a run is a failed one: the claim fails. One that
        is missing leaves no verdict.

        Args:
            measured: the lists of numbers.
            num_seeds: how many numbers each should have.
        """
        if any(math.isnan(number) for numbers in measured for number in numbers):
            return "fails"
        if any(len(numbers) < num_seeds for numbers in measured) or num_seeds < 1:
            return "no verdict"
        return "holds" if self.holds(*measured) else "fails"


def mean(numbers: Numbers) -> float:
    """Arithmetic mean."""
    return math.fsum(numbers) / len(numbers)


def median(numbers: Numbers) -> float:
    """The middle number, or the mean of the two in the middle."""
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def standard_deviation(numbers: Numbers) -> float:
    """Of the sample, with n - 1; 0 for a single number."""
    if len(numbers) < 2:
        return 0.0
    centre = mean(numbers)
    return math.sqrt(math.fsum((number - centre) ** 2 for number in numbers) / (len(numbers) - 1))


def apart(lower: Numbers, higher: Numbers) -> bool:
    """Whether even the lowest of ``higher`` lies above the highest of ``lower``."""
    return min(higher) > max(lower)
