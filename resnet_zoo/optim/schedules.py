"""Learning-rate schedules: pure functions of the position in training, stepped once per optimizer update.

A schedule gives a factor of the optimizer's learning rate. It keeps no state, so a resumed run, a plot and a test see
the same curve as the training that went straight through.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from resnet_zoo.errors import InvalidValue
from resnet_zoo.optim.hold import HoldUntilTrainError
from resnet_zoo.optim.warmup import DEFAULT_WARMUP_START_FACTOR, Warmup


@dataclass(frozen=True)
class Position:
    """Where training stands, counted in optimizer updates.

    Args:
        step: number of updates already made; 0 asks for the learning rate of the first update.
        steps_per_epoch: updates in an epoch.
        total_steps: updates in the whole training.
    """

    step: int
    steps_per_epoch: int
    total_steps: int

    @property
    def epoch(self) -> float:
        """Epochs already trained, with the fraction of the current one."""
        return self.step / self.steps_per_epoch

    @property
    def total_epochs(self) -> float:
        """Length of the whole training in epochs."""
        return self.total_steps / self.steps_per_epoch


class Schedule(ABC):
    """Base of all schedules: a warm-up and, where a subclass offers it, a hold.

    Attributes:
        warmup: the linear warm-up; its length is 0 where none was asked for.
        hold: the hold until the net has begun to learn, or None. Whether it was released is the caller's to remember.
    """

    def __init__(self, warmup: Warmup, hold: HoldUntilTrainError | None = None) -> None:
        self.warmup = warmup
        self.hold = hold

    def factor(self, position: Position, released: bool = True) -> float:
        """Factor of the learning rate for the next update; pure.

        Args:
            position: where training stands.
            released: whether the hold has been released; without meaning for a schedule without one.
        """
        held = self.hold.hold_factor if self.hold is not None and not released else 1.0
        return held * self.warmup_factor(position) * self.decay_factor(position)

    def warmup_factor(self, position: Position) -> float:
        """The warm-up's share of the factor: 1 once it is over."""
        return self.warmup.factor(position.step, position.steps_per_epoch)

    def num_warmup_steps(self, position: Position) -> int:
        """Length of the warm-up in updates."""
        return self.warmup.num_steps(position.steps_per_epoch)

    @abstractmethod
    def decay_factor(self, position: Position) -> float:
        """The factor without warm-up and hold."""

    def remarks(self, position: Position) -> list[str]:
        """What somebody who starts a training of this length should know, one sentence each; usually nothing."""
        warmup_steps = self.num_warmup_steps(position)
        if 0 < position.total_steps <= warmup_steps:
            return [
                f"the warm-up of {warmup_steps} updates does not end within the {position.total_steps} updates of this "
                "training"
            ]
        return []


class ConstantSchedule(Schedule):
    """The same learning rate throughout, after the warm-up.

    Args:
        warmup_epochs: length of the linear warm-up in epochs.
        warmup_steps: its length in updates, instead of ``warmup_epochs``.
        warmup_start_factor: factor at the first update of a warm-up.

    Raises:
        InvalidValue: a value is out of range, or both lengths are given.
    """

    def __init__(
        self,
        warmup_epochs: float = 0.0,
        warmup_steps: int | None = None,
        warmup_start_factor: float = DEFAULT_WARMUP_START_FACTOR,
    ) -> None:
        super().__init__(Warmup(warmup_epochs, warmup_steps, warmup_start_factor))

    def decay_factor(self, position: Position) -> float:
        """1 everywhere."""
        return 1.0


class CosineSchedule(Schedule):
    """Half a cosine from 1 after the warm-up to ``final_factor`` at the end.

    Loshchilov and Hutter 2016 (arXiv:1608.03983), equation 5, with a single period.

    Args:
        final_factor: factor at the end, from 0 to 1.
        warmup_epochs: length of the linear warm-up in epochs; the cosine takes the rest of the training.
        warmup_steps: its length in updates, instead of ``warmup_epochs``.
        warmup_start_factor: factor at the first update of a warm-up.
        warmup_takes_from_cosine: the cosine spans the whole training and the warm-up stands in place of its
            beginning, as timm has it by default; where the warm-up ends, the rate steps down to the cosine.

    Raises:
        InvalidValue: a value is out of range, or both lengths are given.
    """

    def __init__(
        self,
        final_factor: float = 0.0,
        warmup_epochs: float = 0.0,
        warmup_steps: int | None = None,
        warmup_start_factor: float = DEFAULT_WARMUP_START_FACTOR,
        warmup_takes_from_cosine: bool = False,
    ) -> None:
        super().__init__(Warmup(warmup_epochs, warmup_steps, warmup_start_factor))
        self.final_factor = checked_final_factor(final_factor)
        self.warmup_takes_from_cosine = warmup_takes_from_cosine

    def decay_factor(self, position: Position) -> float:
        """The cosine's share."""
        warmup_steps = self.num_warmup_steps(position)
        over = position.step >= warmup_steps
        return _cosine(
            position, 0 if over and self.warmup_takes_from_cosine else warmup_steps, self.final_factor
        )


class OneCycleSchedule(Schedule):
    """A straight line up, then half a cosine down, in shares of the whole training.

    Smith 2018 (arXiv:1803.09820), the 1cycle policy, without its momentum cycle. It is ``CosineSchedule`` with a
    warm-up that grows with the training; for a rise of a fixed length use that class.

    Args:
        warmup_fraction: share of the training in which the rate rises, from 0 and below 1.
        warmup_start_factor: factor at the first update.
        final_factor: factor at the end, from 0 to 1.

    Raises:
        InvalidValue: a value is out of range.
    """

    def __init__(
        self,
        warmup_fraction: float = 0.25,
        warmup_start_factor: float = DEFAULT_WARMUP_START_FACTOR,
        final_factor: float = 0.0,
    ) -> None:
        if not 0 <= warmup_fraction < 1:
            raise InvalidValue(
                f"warmup_fraction={warmup_fraction:g} is not allowed. Use a share from 0 and below 1."
            )
        super().__init__(Warmup(start_factor=warmup_start_factor))
        self.warmup_fraction = warmup_fraction
        self.final_factor = checked_final_factor(final_factor)

    def num_warmup_steps(self, position: Position) -> int:
        """Length of the rise in updates."""
        return round(self.warmup_fraction * position.total_steps)

    def warmup_factor(self, position: Position) -> float:
        """The rise's share."""
        warmup = Warmup(steps=self.num_warmup_steps(position), start_factor=self.warmup.start_factor)
        return warmup.factor(position.step, position.steps_per_epoch)

    def decay_factor(self, position: Position) -> float:
        """The fall's share."""
        return _cosine(position, self.num_warmup_steps(position), self.final_factor)


def _cosine(position: Position, start: int, final_factor: float) -> float:
    """1 up to update ``start``, then half a cosine to ``final_factor`` at the end, and flat beyond."""
    return final_factor + (1.0 - final_factor) * 0.5 * (1.0 + math.cos(math.pi * progress(position, start)))


def progress(position: Position, start: int) -> float:
    """The share of the way from update ``start`` to the end of the training; from 0 to 1."""
    return min(max((position.step - start) / max(position.total_steps - start, 1), 0.0), 1.0)


def checked_final_factor(final_factor: float) -> float:
    """The factor as it is, if it is one.

    Raises:
        InvalidValue: not from 0 to 1.
    """
    if not 0 <= final_factor <= 1:
        raise InvalidValue(
            f"final_factor={final_factor:g} is not allowed. Use a share of the learning rate from 0 to 1."
        )
    return final_factor
