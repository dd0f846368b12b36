"""The learning rate falls by the same factor in every epoch, a little at each update."""

from __future__ import annotations

from resnet_zoo.errors import InvalidValue
from resnet_zoo.optim.schedules import Position, Schedule
from resnet_zoo.optim.warmup import DEFAULT_WARMUP_START_FACTOR, Warmup


class ExponentialSchedule(Schedule):
    """``gamma`` to the power of the epochs since the warm-up, fractions included.

    The decay of Srivastava et al. 2015 (arXiv:1507.06228, section 3.1) and of torchvision's reference training of
    mobile nets; these lower the rate at the end of each epoch, this one at every update, to the same values there.

    Args:
        gamma: factor of one epoch, above 0 and at most 1.
        warmup_epochs: length of the linear warm-up in epochs.
        warmup_steps: its length in updates, instead of ``warmup_epochs``.
        warmup_start_factor: factor at the first update of a warm-up.

    Raises:
        InvalidValue: a value is out of range, or both lengths are given.
    """

    def __init__(
        self,
        gamma: float,
        warmup_epochs: float = 0.0,
        warmup_steps: int | None = None,
        warmup_start_factor: float = DEFAULT_WARMUP_START_FACTOR,
    ) -> None:
        super().__init__(Warmup(warmup_epochs, warmup_steps, warmup_start_factor))
        if not 0 < gamma <= 1:
            raise InvalidValue(
                f"gamma={gamma:g} is not allowed. Use a number above 0 and at most 1, e.g. 0.98."
            )
        self.gamma = gamma

    def decay_factor(self, position: Position) -> float:
        """The power's share."""
        decaying = max(position.step - self.num_warmup_steps(position), 0)
        return float(self.gamma ** (decaying / position.steps_per_epoch))
