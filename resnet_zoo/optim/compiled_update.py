"""An optimizer whose update is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

COMPILED = (
    torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.NAdam, torch.optim.RAdam, torch.optim.Adamax,
    torch.optim.RMSprop, torch.optim.Adagrad, torch.optim.Adadelta, torch.optim.ASGD,
)  # fmt: skip
"""Those that torch's own tests compile."""


def what_update_lacks(optimizer: Optimizer) -> str | None:
    """Why the update of such an optimizer cannot be compiled, for people; None if it can."""
    name = type(optimizer).__name__
    if type(optimizer) not in COMPILED:
        known = ", ".join(each.__name__ for each in COMPILED)
        return f"the update of {name} is not one that torch compiles ({known})"
    if any(group.get("fused") for group in optimizer.param_groups):
        return f"{name} has fused=true, which is one kernel already"
    if isinstance(optimizer, torch.optim.Adam) and any(
        group.get("foreach") and not group.get("capturable") for group in optimizer.param_groups
    ):
        return (
            f"{name} with foreach=true takes no learning rate that is a tensor, as a compiled update has; leave "
            "foreach out"
        )
    return None


def compile_update(optimizer: Optimizer) -> None:
    """Let ``optimizer.step`` run compiled from now on; everything else about it stays as it is.

    A learning rate that is a Python number is part of the compiled code, which would be compiled again at every change.
    During the update, and only then, the groups hold it as a tensor: checkpoints and whoever reads or sets it see
    numbers. The closure, which is a forward and a backward pass, is not compiled.
    """
    eager = optimizer.step
    rates: list[Tensor] = []

    @torch.compile(dynamic=False)
    def update() -> None:
        eager()

    def step(closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        groups = optimizer.param_groups
        if not rates:
            rates.extend(torch.zeros((), device=group["params"][0].device) for group in groups)
        numbers = [group["lr"] for group in groups]
        try:
            for group, rate, number in zip(groups, rates, numbers, strict=True):
                group["lr"] = rate.fill_(number)
            update()
        finally:
            for group, number in zip(groups, numbers, strict=True):
                group["lr"] = number
        return loss

    optimizer.step = step  # type: ignore[method-assign]
