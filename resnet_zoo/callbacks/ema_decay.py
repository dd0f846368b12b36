"""How much of an exponential moving average is kept at each step, and what that means for a training of some length."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from resnet_zoo.errors import InvalidValue

MOST_OF_THE_BEGINNING = 0.01
"""Share of the first weights in the final average above which the user is told."""


@dataclass
class EmaSettings:
    """An exponential moving average of the weights, scored beside them; there is none unless ``decay`` is given.

    Args:
        decay: the share of the average that is kept each time, in (0, 1): with 0.9999 it reaches back over about the
            last 10,000 averagings.
        every_n_steps: average after every so many updates.
        start_epoch: before this epoch, counted from 0, the average is a copy of the weights.
        warm_up: keep less at first: at most (1 + n) / (10 + n) at the n-th averaging.
        rescale: take ``decay`` as meant for batches of one image and one epoch, and adapt it to the batch size, the
            interval and the epochs of this training, as torchvision's reference training does.
    """

    decay: float | None = None
    every_n_steps: int = 1
    start_epoch: int = 0
    warm_up: bool = False
    rescale: bool = False

    def __post_init__(self) -> None:
        if self.decay is None:
            given = [
                field.name for field in dataclasses.fields(self) if getattr(self, field.name) != field.default
            ]
            if given:
                raise InvalidValue(
                    f"ema.{given[0]} has no effect without ema.decay, which turns the moving average on. "
                    "Give one, for example 0.9999, or leave the others out."
                )
        elif not 0.0 < self.decay < 1.0:
            raise InvalidValue(
                f"ema.decay={self.decay:g} is outside (0, 1). Usual values are 0.99 to 0.9999."
            )
        if self.every_n_steps < 1:
            raise InvalidValue(f"ema.every_n_steps={self.every_n_steps} must be at least 1.")
        if self.start_epoch < 0:
            raise InvalidValue(f"ema.start_epoch={self.start_epoch} must not be less than 0.")


@dataclass(frozen=True)
class EmaDecay:
    """The decay of each averaging of one training.

    Attributes:
        decay: the one that is reached in the end.
        warm_up: whether it is approached from below.
        sentence: what was done, for the user.
    """

    decay: float
    warm_up: bool
    sentence: str

    def at(self, averagings: int) -> float:
        """The share that is kept after so many averagings; the first one copies.

        The rule of the warm-up, min(decay, (1 + n) / (10 + n)), is that of TensorFlow's ``ExponentialMovingAverage``
        with ``num_updates``.
        """
        if averagings == 0:
            return 0.0
        return min(self.decay, (1 + averagings) / (10 + averagings)) if self.warm_up else self.decay

    def share_of_the_first(self, averagings: int) -> float:
        """How much of the average is still the first weights after so many averagings."""
        count, share = 1, 1.0
        while count < averagings and self.at(count) < self.decay:
            share *= self.at(count)
            count += 1
        return share * self.decay ** max(averagings - count, 0)


def decay_of(
    settings: EmaSettings, global_batch_size: int | None, total_steps: int | None, steps_per_epoch: int
) -> EmaDecay:
    """The decay for a training.

    With ``rescale``, 1 - decay is multiplied by global batch size x interval / epochs, and is 1 at most. This is the
    rule of torchvision's ``references/classification/train.py``, which has it from pycls: the average then reaches back
    over the same share of a training of any batch size and length. The number of images in the data set is left out of
    it, so a value from ImageNet suits data sets of about that size only.

    Args:
        settings: with a decay.
        global_batch_size: images per update over all ranks and accumulated batches; None if unknown.
        total_steps: updates of the whole training; None if it has no end.
        steps_per_epoch: updates per epoch.

    Raises:
        InvalidValue: ``rescale`` is asked for and one of the numbers that it needs is unknown.
    """
    assert settings.decay is not None
    every = settings.every_n_steps
    often = "every update" if every == 1 else f"every {every} updates"
    if not settings.rescale:
        return EmaDecay(settings.decay, settings.warm_up, f"decay {settings.decay:g} at {often}")
    if global_batch_size is None or not total_steps:
        raise InvalidValue(
            "ema.rescale needs a data module with a global_batch_size and an end of the training, trainer.max_epochs "
            "or trainer.max_steps. Give them, or leave ema.rescale out."
        )
    epochs = total_steps / steps_per_epoch
    decay = 1.0 - min(1.0, (1.0 - settings.decay) * global_batch_size * every / epochs)
    return EmaDecay(
        decay,
        settings.warm_up,
        f"decay {settings.decay:g} rescaled to {decay:g} for global batch {global_batch_size}, {often}, "
        f"{epochs:g} epochs",
    )


def ema_notes(
    settings: EmaSettings, decay: EmaDecay, total_steps: int | None, steps_per_epoch: int
) -> list[str]:
    """What the average is made of, and a remark where it would be made of the beginning."""
    back = settings.every_n_steps / (1.0 - decay.decay)
    line = f"moving average of the weights: {decay.sentence}; it reaches back over about {back:,.0f} updates"
    notes = [f"{line} ({back / steps_per_epoch:,.1f} epochs)"]
    if total_steps is not None:
        updates = max(total_steps - settings.start_epoch * steps_per_epoch, 0)
        averaged = updates // settings.every_n_steps
        share = decay.share_of_the_first(averaged)
        if not updates:
            notes.append(
                f"this training ends before ema.start_epoch={settings.start_epoch}, from which on weights are "
                "averaged: the average is a copy of them"
            )
        elif share > MOST_OF_THE_BEGINNING:
            smaller = f"decay{'' if settings.warm_up else ', or --ema.warm_up true'}"
            notes.append(
                f"at the end of this training {100 * share:.0f} % of the average are the weights it began with: choose "
                f"a smaller ema.{smaller if averaged else 'every_n_steps'}"
            )
    return notes


def updates_per_epoch(batches: float, accumulated: int) -> int:
    """Updates of an epoch of so many batches on each rank; at least one."""
    return max(1, math.ceil(batches / accumulated)) if math.isfinite(batches) else 1
