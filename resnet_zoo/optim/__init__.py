"""Learning-rate schedules, parameter groups and the batch-size rule."""

from resnet_zoo.optim.batch_size_rule import BatchSizeRule, scaled_learning_rate
from resnet_zoo.optim.parameter_groups import is_norm_layer, split_parameters
from resnet_zoo.optim.schedules import (
    ConstantSchedule,
    CosineSchedule,
    HoldUntilTrainError,
    OneCycleSchedule,
    Position,
    Schedule,
)
from resnet_zoo.optim.step_schedule import StepSchedule
from resnet_zoo.optim.warmup import Warmup

__all__ = [
    "BatchSizeRule",
    "ConstantSchedule",
    "CosineSchedule",
    "HoldUntilTrainError",
    "OneCycleSchedule",
    "Position",
    "Schedule",
    "StepSchedule",
    "Warmup",
    "is_norm_layer",
    "scaled_learning_rate",
    "split_parameters",
]
