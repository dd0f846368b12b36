"""The linear warm-up that every schedule shares."""

from __future__ import annotations

from dataclasses import dataclass

from resnet_zoo.errors import InvalidValue

DEFAULT_WARMUP_START_FACTOR = 0.01
"""Where torchvision's reference training starts its warm-up."""


@dataclass(frozen=True)
class Warmup:
    """A straight line from ``start_factor`` to 1 over the first updates.

    Goyal et al. 2017 (arXiv:1706.02677), section 2.2, "gradual warmup", raised per update rather than per epoch.

    Args:
        epochs: its length in epochs, fractions allowed; 0 for none.
        steps: its length in updates, instead of ``epochs``.
        start_factor: factor of the learning rate at the first update, above 0 and at most 1.

    Raises:
        InvalidValue: both lengths are given, or a value is out of range.
    """

    epochs: float = 0.0
    steps: int | None = None
    start_factor: float = DEFAULT_WARMUP_START_FACTOR

    def __post_init__(self) -> None:
        if self.epochs < 0:
            raise InvalidValue(
                f"warmup_epochs={self.epochs:g} is negative. Use 0 for no warm-up, or a length in epochs."
            )
        if self.steps is not None and self.epochs:
            raise InvalidValue(
                f"warmup_epochs={self.epochs:g} and warmup_steps={self.steps} are both given. Give only one of them."
            )
        if self.steps is not None and self.steps < 0:
            raise InvalidValue(
                f"warmup_steps={self.steps} is negative. Use 0 for no warm-up, or a number of updates."
            )
        if not 0 < self.start_factor <= 1:
            raise InvalidValue(
                f"warmup_start_factor={self.start_factor:g} is not allowed. Use a number above 0 and at most 1: the "
                "share of the learning rate at the first update."
            )

    def num_steps(self, steps_per_epoch: int) -> int:
        """Its length in updates."""
        return self.steps if self.steps is not None else round(self.epochs * steps_per_epoch)

    def factor(self, step: int, steps_per_epoch: int) -> float:
        """Factor of the learning rate at update ``step``, counted from 0; 1 after the warm-up."""
        num_steps = self.num_steps(steps_per_epoch)
        if step >= num_steps:
            return 1.0
        return self.start_factor + (1.0 - self.start_factor) * step / num_steps
