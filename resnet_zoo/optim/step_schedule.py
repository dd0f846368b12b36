"""The schedule of the papers: the learning rate falls by a fixed factor at given points of the training."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from resnet_zoo.errors import InvalidValue
from resnet_zoo.optim.hold import HoldUntilTrainError
from resnet_zoo.optim.schedules import Position, Schedule
from resnet_zoo.optim.warmup import DEFAULT_WARMUP_START_FACTOR, Warmup


class StepSchedule(Schedule):
    """Multiply the learning rate by ``gamma`` at each milestone.

    He et al. 2015 (arXiv:1512.03385), section 4.2: divided by 10 at 32k and 48k updates, i.e.
    ``milestone_steps: [32000, 48000]``. Milestones count from the start of the training, a warm-up included.

    Args:
        milestones: epochs after which the rate falls, increasing; fractions allowed.
        milestone_steps: updates after which the rate falls, instead of ``milestones``.
        gamma: factor at each milestone, above 0 and at most 1.
        warmup_epochs: length of the linear warm-up in epochs.
        warmup_steps: its length in updates, instead of ``warmup_epochs``.
        warmup_start_factor: factor at the first update of a warm-up.
        hold: keep the rate down until the training error has fallen, as the paper does for ResNet-110.

    Raises:
        InvalidValue: none or both of the milestone lists are given, a list does not increase, or a value is out of
            range.
    """

    def __init__(
        self,
        milestones: list[float] | None = None,
        milestone_steps: list[int] | None = None,
        gamma: float = 0.1,
        warmup_epochs: float = 0.0,
        warmup_steps: int | None = None,
        warmup_start_factor: float = DEFAULT_WARMUP_START_FACTOR,
        hold: HoldUntilTrainError | None = None,
    ) -> None:
        super().__init__(Warmup(warmup_epochs, warmup_steps, warmup_start_factor), hold)
        if milestones is not None and milestone_steps is not None:
            raise InvalidValue(
                f"milestones={milestones} and milestone_steps={milestone_steps} are both given. "
                "Give epochs or updates, not both."
            )
        if not milestones and not milestone_steps:
            raise InvalidValue(
                "StepSchedule needs milestones (in epochs, e.g. [30, 60, 80]) or milestone_steps (in updates). "
                "For a rate that never falls use ConstantSchedule."
            )
        if not 0 < gamma <= 1:
            raise InvalidValue(
                f"gamma={gamma:g} is not allowed. Use a number above 0 and at most 1, e.g. 0.1."
            )
        _check_increasing("milestones", milestones or [])
        _check_increasing("milestone_steps", milestone_steps or [])
        self.milestones = milestones
        self.milestone_steps = milestone_steps
        self.gamma = gamma

    def steps_of_milestones(self, steps_per_epoch: int) -> list[int]:
        """The milestones in updates: the first update with the lower rate, counted from 0."""
        if self.milestone_steps is not None:
            return list(self.milestone_steps)
        # The tolerance keeps an epoch such as 0.1 * 30 from being one update late.
        return [math.ceil(epoch * steps_per_epoch - 1e-6) for epoch in self.milestones or []]

    def decay_factor(self, position: Position) -> float:
        """``gamma`` to the power of the milestones passed."""
        return self.gamma ** sum(
            position.step >= step for step in self.steps_of_milestones(position.steps_per_epoch)
        )

    def remarks(self, position: Position) -> list[str]:
        """Also names the milestones that this training does not reach."""
        unreached = [
            s for s in self.steps_of_milestones(position.steps_per_epoch) if s >= position.total_steps
        ]
        if not unreached:
            return super().remarks(position)
        updates = ", ".join(str(step) for step in unreached)
        sentence = (
            f"milestones at update {updates} lie beyond the {position.total_steps} updates of this training"
        )
        return [*super().remarks(position), sentence]


def _check_increasing(name: str, values: Sequence[float]) -> None:
    if any(value <= 0 for value in values):
        raise InvalidValue(
            f"{name}={list(values)} contains a value that is not positive. Count from the start of training."
        )
    if any(later <= earlier for earlier, later in itertools.pairwise(values)):
        raise InvalidValue(f"{name}={list(values)} does not increase. List the points in order, each once.")
