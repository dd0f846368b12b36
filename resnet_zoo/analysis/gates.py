"""What the gates of a highway network do (Srivastava et al. 2015, arXiv:1507.06228, sections 2.2 and 5)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from resnet_zoo.analysis.layers import WEIGHTED, evaluating

GATE = "transform_gate"
"""What a highway block calls the module whose output is T, between 0 (carry) and 1 (transform)."""

CLOSED, OPEN = 0.1, 0.5
"""Below the one a gate counts as closed, above the other as open."""


@dataclass(frozen=True)
class GateStatistics:
    """The transform gate of one highway layer, over images, units and positions.

    Attributes:
        layer: name of the gate in ``model.named_modules()``.
        mean: mean of T.
        std: standard deviation of T.
        share_closed: share of values below ``CLOSED``.
        share_open: share of values above ``OPEN``.
        sigmoid_of_bias: mean of sigmoid(bias), what T would be if the gate's weights were zero.
    """

    layer: str
    mean: float
    std: float
    share_closed: float
    share_open: float
    sigmoid_of_bias: float


def gate_statistics(
    model: nn.Module, batches: Iterable[Float[Tensor, "batch channels height width"]]
) -> list[GateStatistics]:
    """Statistics of all transform gates over some batches, in evaluation mode; the model stays as it is.

    Args:
        model: takes images; its gates are modules called ``transform_gate``.
        batches: images, on the model's device.

    Returns:
        One entry a gate, from the input on; none for a network without gates.
    """
    gates = {name: module for name, module in model.named_modules() if name.split(".")[-1] == GATE}
    sums: dict[str, Tensor] = {}
    handles = [gate.register_forward_hook(_summing(name, sums)) for name, gate in gates.items()]
    try:
        with evaluating(model), torch.no_grad():
            for images in batches:
                model(images)
    finally:
        for handle in handles:
            handle.remove()
    return [_statistics(name, gates[name], sums[name].tolist()) for name in gates if name in sums]


def _summing(name: str, sums: dict[str, Tensor]) -> Any:
    def note(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        values = output.detach().double()
        closed, opened = (values < CLOSED).double(), (values > OPEN).double()
        count = torch.tensor(float(values.numel()), dtype=torch.float64, device=values.device)
        new = torch.stack([count, values.sum(), values.square().sum(), closed.sum(), opened.sum()])
        sums[name] = sums[name] + new if name in sums else new

    return note


def _statistics(name: str, gate: nn.Module, sums: list[float]) -> GateStatistics:
    count, total, squares, closed, opened = sums
    mean = total / count
    biases = [
        layer.bias for layer in gate.modules() if isinstance(layer, WEIGHTED) and layer.bias is not None
    ]
    bias = float(torch.cat([b.detach().double().sigmoid() for b in biases]).mean()) if biases else math.nan
    std = max(squares / count - mean**2, 0.0) ** 0.5
    return GateStatistics(name, mean, std, closed / count, opened / count, bias)
