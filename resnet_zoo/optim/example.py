"""What a configured optimizer comes to, before there is a net on a device."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim import Optimizer

from resnet_zoo.errors import InvalidValue


def example_of(factory: Callable[[Iterable[Any]], Optimizer]) -> Optimizer:
    """An optimizer of a single number on the CPU.

    Raises:
        InvalidValue: the optimizer does not take its arguments, in its own words.
    """
    try:
        return factory([Parameter(torch.zeros(1))])
    except (ValueError, RuntimeError) as error:
        raise InvalidValue(f"model.optimizer: {error}") from error
