"""Rules about the backward pass."""

from __future__ import annotations

import torch
from torch import nn

from resnet_zoo.conformance.case import Case, listed
from resnet_zoo.conformance.rule import Rule


def _backward(case: Case, net: nn.Module) -> None:
    """Gradients of a random projection of the features, so that no symmetry cancels them."""
    with torch.random.fork_rng(devices=[]):
        features = net(case.images(4))
    weights = torch.randn(features.shape, generator=torch.Generator().manual_seed(2))
    (features * weights).sum().backward()


def _gradients(case: Case) -> str | None:
    net = case.build()
    generator = torch.Generator().manual_seed(3)
    # What starts at zero, such as a residual branch, would hide what is behind it.
    for parameter in net.parameters():
        typical = parameter.data.square().mean().sqrt().item() or 1.0
        parameter.data += 0.05 * typical * torch.randn(parameter.shape, generator=generator)
    case.settle(net)
    _backward(case, net)
    names_of: dict[str, list[str]] = {}
    for name, parameter in net.named_parameters():
        problem = _problem(parameter)
        if problem:
            names_of.setdefault(problem, []).append(name)
    return "; ".join(f"{problem}: {listed(names)}" for problem, names in names_of.items()) or None


def _problem(parameter: nn.Parameter) -> str | None:
    if not parameter.requires_grad:
        return "frozen (requires_grad=False)"
    if parameter.grad is None:  # the rule before this one tells of it
        return None
    if not parameter.grad.isfinite().all():
        return "gradient infinite or not a number"
    return None if parameter.grad.any() else "gradient zero everywhere"


def _no_unused_parameters(case: Case) -> str | None:
    net = case.build().train()
    _backward(case, net)
    unused = [
        name
        for name, parameter in net.named_parameters()
        if parameter.requires_grad and parameter.grad is None
    ]
    return f"no gradient reaches {listed(unused)}" if unused else None


GRADIENTS = (
    Rule(
        "no_unused_parameters",
        "every parameter takes part in the forward pass, as training on several devices needs",
        "remove layers that forward does not call; distributed training waits for their gradients and stops",
        _no_unused_parameters,
    ),
    Rule(
        "gradients",
        "every parameter can be trained: its gradient is finite and not zero everywhere",
        "look for detach(), no_grad(), argmax or rounding between the parameter and the features; constants belong in "
        "buffers (register_buffer), not in frozen parameters",
        _gradients,
    ),
)
