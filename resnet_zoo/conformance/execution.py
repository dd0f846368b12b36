"""Rules about the faster ways to run a net."""

from __future__ import annotations

import torch

from resnet_zoo.conformance.case import Case, difference
from resnet_zoo.conformance.rule import Rule


def _bfloat16(case: Case) -> str | None:
    net = case.build().train()
    with torch.random.fork_rng(devices=[]), torch.autocast("cpu", torch.bfloat16):
        features = net(case.images(4))
    features.float().square().mean().backward()
    if not features.isfinite().all():
        return "features are infinite or not a number"
    wrong = [name for name, p in net.named_parameters() if p.grad is not None and not p.grad.isfinite().all()]
    return f"the gradient of {wrong[0]} is infinite or not a number" if wrong else None


def _channels_last(case: Case) -> str | None:
    net = case.settled_copy().to(memory_format=torch.channels_last)
    images = case.images(2)
    expected = case.features(case.settled, images)
    got = case.features(net, images.contiguous(memory_format=torch.channels_last))
    change = difference(expected, got)
    return None if change <= case.rounding else f"features differ by {change:.1e} (relative)"


def _compile(case: Case) -> str | None:
    net = case.settled_copy()
    expected = case.features(case.settled)
    torch._dynamo.reset()
    try:
        change = difference(expected, case.features(torch.compile(net, backend="eager", fullgraph=True)))
    finally:
        torch._dynamo.reset()
    return None if change <= case.rounding else f"features differ by {change:.1e} (relative)"


EXECUTION = (
    Rule(
        "bfloat16",
        "forward and backward work under bfloat16 autocast and stay finite",
        "do not fix dtypes: create tensors with the dtype and device of the input, and avoid .half() and .double()",
        _bfloat16,
    ),
    Rule(
        "channels_last",
        "images and weights in the channels_last layout give the same features",
        "use flatten() or reshape() instead of view() and as_strided(), which see the memory's order",
        _channels_last,
    ),
    Rule(
        "compile",
        "torch.compile sees the forward pass as one graph and gives the same features",
        "keep prints, .item(), .numpy() and branches on tensor values out of forward",
        _compile,
    ),
)
