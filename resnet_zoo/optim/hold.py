"""The learning rate of the deepest CIFAR nets waits for the net to begin to learn."""

from __future__ import annotations

from dataclasses import dataclass

from resnet_zoo.errors import InvalidValue


@dataclass(frozen=True)
class HoldUntilTrainError:
    """Hold the learning rate down until the net has begun to learn.

    He et al. 2015 (arXiv:1512.03385), section 4.2: ResNet-110 trains with 0.01 instead of 0.1 until its training
    error is below 80 %, after about 400 updates, and then continues with the usual schedule. How the error is taken
    the paper does not say. Here it is the share of wrong predictions in training mode over ``window_steps`` updates;
    after each such window, over all ranks, the hold ends or lasts for another one. Once it has ended it does not
    return. Milestones count from the start of the training, the hold included.

    Args:
        hold_factor: factor of the learning rate while it is held, above 0 and below 1.
        train_error: percent; what the error of a window must undercut.
        window_steps: updates in a window.

    Raises:
        InvalidValue: a value is out of range.
    """

    hold_factor: float = 0.1
    train_error: float = 80.0
    window_steps: int = 100

    def __post_init__(self) -> None:
        if not 0 < self.hold_factor < 1:
            raise InvalidValue(
                f"hold_factor={self.hold_factor:g} is not allowed. Use a number between 0 and 1, e.g. 0.1."
            )
        if not 0 < self.train_error < 100:
            raise InvalidValue(
                f"train_error={self.train_error:g} is not allowed. Use a percentage between 0 and 100, e.g. 80."
            )
        if self.window_steps < 1:
            raise InvalidValue(
                f"window_steps={self.window_steps} is not allowed. Use a number of updates, e.g. 100."
            )

    def is_released_by(self, error_percent: float) -> bool:
        """Whether this training error, in percent, ends the hold. NaN does not."""
        return error_percent < self.train_error

    def __str__(self) -> str:
        return (
            f"held at {self.hold_factor:g} of the rate until the training error over {self.window_steps} updates is "
            f"below {self.train_error:g} %"
        )
