"""Learning-rate schedules, parameter groups and the batch-size rule."""

from resnet_zoo.optim.batch_size_rule import BatchSizeRule, scaled_learning_rate
from resnet_zoo.optim.compiled_update import compile_update, what_update_lacks
from resnet_zoo.optim.example import example_of
from resnet_zoo.optim.exponential_schedule import ExponentialSchedule
from resnet_zoo.optim.hold import HoldUntilTrainError
from resnet_zoo.optim.parameter_groups import is_norm_layer, split_parameters
from resnet_zoo.optim.polynomial_schedule import PolynomialSchedule
from resnet_zoo.optim.schedules import (
    ConstantSchedule,
    CosineSchedule,
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
    "ExponentialSchedule",
    "HoldUntilTrainError",
    "OneCycleSchedule",
    "PolynomialSchedule",
    "Position",
    "Schedule",
    "StepSchedule",
    "Warmup",
    "compile_update",
    "example_of",
    "is_norm_layer",
    "scaled_learning_rate",
    "split_parameters",
    "what_update_lacks",
]
