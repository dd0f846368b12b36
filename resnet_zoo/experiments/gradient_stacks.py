"""Gradient norms of stacks of layers of several kinds and depths, at initialisation and over the first updates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from resnet_zoo.analysis import LayerStack, first_to_last_ratio, gradients_over_updates, main_norms
from resnet_zoo.analysis.stacks import StackActivation
from resnet_zoo.data import ImageDataModule
from resnet_zoo.experiments.scoring import random_batch

DEPTHS = (10, 20, 50)
BATCH_SIZE = 128
FOLLOWED_DEPTH, UPDATES, LEARNING_RATE = 20, 5, 0.1


@dataclass(frozen=True)
class Case:
    """One kind of stack; some are followed over the first updates."""

    activation: StackActivation
    draw: Callable[[Tensor], object] | None
    norm: bool = False
    shortcut: bool = False
    followed: bool = False


CASES: dict[str, Case] = {
    "sigmoid": Case("sigmoid", nn.init.xavier_uniform_, followed=True),
    "tanh": Case("tanh", nn.init.xavier_uniform_),
    "ReLU, PyTorch's initialisation": Case("relu", None),
    "ReLU, He initialisation": Case("relu", nn.init.kaiming_normal_, followed=True),
    "sigmoid, batch norm": Case("sigmoid", nn.init.xavier_uniform_, norm=True, followed=True),
    "tanh, batch norm": Case("tanh", nn.init.xavier_uniform_, norm=True),
    "ReLU, batch norm": Case("relu", nn.init.kaiming_normal_, norm=True, followed=True),
    "ReLU, batch norm, shortcuts": Case(
        "relu", nn.init.kaiming_normal_, norm=True, shortcut=True, followed=True
    ),
}


@dataclass(frozen=True)
class Measured:
    """Gradient norms of all layers.

    Attributes:
        at_start: case -> depth -> for each seed, the norms from the first layer to the last.
        over_updates: case -> for each seed and update, the norms in the stacks of 20 layers.
    """

    at_start: dict[str, dict[int, list[list[float]]]]
    over_updates: dict[str, list[list[list[float]]]]

    def ratios(self, case: str, depth: int) -> list[float]:
        """First to last layer, for each seed."""
        return [first_to_last_ratio(norms) for norms in self.at_start[case][depth]]


def measure(data: ImageDataModule, seeds: Sequence[int], depths: Sequence[int] = DEPTHS) -> Measured:
    """Gradient norms of every kind of stack for batches of the data."""
    measured = Measured({case: {} for case in CASES}, {})
    for seed in seeds:
        batches = [
            random_batch(data, "train", BATCH_SIZE, 1000 * seed + number) for number in range(UPDATES + 1)
        ]
        for name, case in CASES.items():
            for depth in depths:
                met = batches if depth == FOLLOWED_DEPTH and case.followed else batches[:1]
                seen = gradients_over_updates(_stack(case, depth, seed), met, LEARNING_RATE)
                norms = [main_norms(gradients) for gradients in seen]
                measured.at_start[name].setdefault(depth, []).append(norms[0])
                if depth == FOLLOWED_DEPTH and case.followed:
                    measured.over_updates.setdefault(name, []).append(norms)
    return measured


def _stack(case: Case, depth: int, seed: int) -> LayerStack:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LayerStack(
            depth, draw=case.draw, activation=case.activation, norm=case.norm, shortcut=case.shortcut
        )
