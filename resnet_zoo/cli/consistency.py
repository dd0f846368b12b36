"""What model and data must agree on for a training; each of them alone is fine."""

from __future__ import annotations

from resnet_zoo.classifier import ImageClassifier
from resnet_zoo.data import ImageDataModule
from resnet_zoo.errors import InvalidValue
from resnet_zoo.optim import example_of


def configured_rate(model: ImageClassifier) -> float:
    """The learning rate that the config gives, before any rule."""
    return float(example_of(model.optimizer_factory).param_groups[0]["lr"])


def check_training(model: ImageClassifier, data: ImageDataModule) -> None:
    """Refuse settings of model and data that contradict each other.

    Raises:
        InvalidValue: a hold that waits for an error that mixing hides, or a rule for the learning rate that has nothing
            to begin with.
    """
    model.scaled_rate(configured_rate(model), data.global_batch_size)
    if model.lr_schedule.hold is not None and data.augment.mixing:
        mixing = type(data.augment.mixing[0]).__name__
        raise InvalidValue(
            "model.lr_schedule waits for the training error to fall below "
            f"{model.lr_schedule.hold.train_error:g} %, and data.augment has {mixing}: the error on mixed images says "
            "little about the net and may never fall that far. Take the hold out, and use warmup_epochs instead, or "
            f"take {mixing} out."
        )
