"""How hard a block of two layers finds it to be the identity (He et al. 2015, arXiv:1512.03385, sections 1 and 3.1).

The paper's hypothesis: if the mapping wanted is close to the identity, it is easier to push a residual to zero than to
fit the identity by a stack of nonlinear layers.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

Target = Literal["identity", "zero", "perturbed identity"]

PERTURBATION = 0.1
"""Size of the perturbation, relative to the input."""

HELD_OUT = 256
"""Inputs on which the error is measured."""


class TwoLayers(nn.Module):
    """Two fully connected layers with ReLU, the input added before the last one if asked for, as in a basic block."""

    def __init__(self, width: int, shortcut: bool) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        self.shortcut = shortcut
        for layer in (self.first, self.second):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Float[Tensor, "batch width"]) -> Float[Tensor, "batch width"]:
        out = self.second(functional.relu(self.first(x)))
        return functional.relu(out + x if self.shortcut else out)


def make_target(target: Target, width: int, generator: torch.Generator) -> nn.Module:
    """The mapping to be learned, from non-negative vectors to non-negative ones."""
    matrix = torch.zeros(width, width) if target == "zero" else torch.eye(width)
    if target == "perturbed identity":
        # Its rows are as long as PERTURBATION, whatever the width.
        matrix = matrix + PERTURBATION * torch.randn(width, width, generator=generator) / width**0.5
    layer = nn.Linear(width, width, bias=False).requires_grad_(False)
    layer.weight.copy_(matrix)
    return nn.Sequential(layer, nn.ReLU())


def fit_target(
    target: Target,
    shortcut: bool,
    *,
    seed: int,
    updates: int,
    width: int = 32,
    batch_size: int = 128,
    learning_rate: float = 3e-3,
) -> list[float]:
    """Train two layers towards a mapping on random inputs, and follow the error.

    Inputs are fresh rectified standard normal vectors in every batch, non-negative as behind a ReLU; the optimizer is
    Adam. Networks with and without shortcut start from the same weights and see the same inputs.

    Args:
        target: the mapping.
        shortcut: add the input before the last ReLU.
        seed: of weights, perturbation and inputs.
        updates: how many.
        width: length of the vectors.
        batch_size: vectors in an update.
        learning_rate: of Adam.

    Returns:
        Before every update and behind the last, the mean squared error on held-out inputs relative to the mean square
        of these inputs: 1 for a network that answers zero where the identity is wanted.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        block = TwoLayers(width, shortcut)
        generator = torch.Generator().manual_seed(seed)
        mapping = make_target(target, width, generator)
    held_out = torch.randn(HELD_OUT, width, generator=generator).relu()
    optimizer = torch.optim.Adam(block.parameters(), lr=learning_rate)
    errors = []
    for _ in range(updates):
        errors.append(_relative_error(block, mapping, held_out))
        x = torch.randn(batch_size, width, generator=generator).relu()
        optimizer.zero_grad()
        functional.mse_loss(block(x), mapping(x)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return [*errors, _relative_error(block, mapping, held_out)]


@torch.no_grad()
def _relative_error(block: nn.Module, mapping: nn.Module, inputs: Tensor) -> float:
    return float((block(inputs) - mapping(inputs)).square().mean() / inputs.square().mean())
