"""A power of the way that is left: a straight line down, or a curve."""

from __future__ import annotations

from resnet_zoo.errors import InvalidValue
from resnet_zoo.optim.schedules import Position, Schedule, checked_final_factor, progress
from resnet_zoo.optim.warmup import DEFAULT_WARMUP_START_FACTOR, Warmup


class PolynomialSchedule(Schedule):
    """From 1 after the warm-up to ``final_factor`` at the end, as a power of the share that is left.

    With power 1 the triangle of the fast ImageNet trainings (Leclerc et al. 2023, arXiv:2306.12517); with power 2 the
    decay of large-batch training with LARS (You et al. 2017, arXiv:1708.03888, section 5).

    Args:
        power: of the share of the training that is left; above 0.
        final_factor: factor at the end, from 0 to 1.
        warmup_epochs: length of the linear warm-up in epochs; the decay takes the rest of the training.
        warmup_steps: its length in updates, instead of ``warmup_epochs``.
        warmup_start_factor: factor at the first update of a warm-up.

    Raises:
        InvalidValue: a value is out of range, or both lengths are given.
    """

    def __init__(
        self,
        power: float = 1.0,
        final_factor: float = 0.0,
        warmup_epochs: float = 0.0,
        warmup_steps: int | None = None,
        warmup_start_factor: float = DEFAULT_WARMUP_START_FACTOR,
    ) -> None:
        super().__init__(Warmup(warmup_epochs, warmup_steps, warmup_start_factor))
        if not power > 0:
            raise InvalidValue(
                f"power={power:g} is not allowed. Use a number above 0, e.g. 1 for a straight line."
            )
        self.power = power
        self.final_factor = checked_final_factor(final_factor)

    def decay_factor(self, position: Position) -> float:
        """The power's share."""
        left = 1.0 - progress(position, self.num_warmup_steps(position))
        return self.final_factor + (1.0 - self.final_factor) * float(left**self.power)
