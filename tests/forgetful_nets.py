"""Nets and a callback that a checkpoint cannot bring back: each keeps, or draws from, what no state dict holds."""

from __future__ import annotations

import os
import random
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from tests.small_nets import SmallNet


class GainingConfidence(SmallNet):
    """Scales its features by how often it was called, which it counts in a plain attribute."""

    def __init__(self) -> None:
        super().__init__(norm=True, dropout=0.0)
        self.calls = 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += self.training
        return super().forward(images) * (1 - 1 / (1 + self.calls))


class FlippingACoin(SmallNet):
    """Halves its features now and then, as Python's own generator says."""

    def forward(self, images: Tensor) -> Tensor:
        factor = 0.5 if self.training and random.random() < 0.5 else 1.0
        return super().forward(images) * factor


class AskingTheSystem(SmallNet):
    """Halves its features now and then, as the operating system's entropy says."""

    def forward(self, images: Tensor) -> Tensor:
        factor = 0.5 if self.training and os.urandom(1)[0] < 128 else 1.0
        return super().forward(images) * factor


def gaining_confidence() -> GainingConfidence:
    """A net with a hidden state."""
    return GainingConfidence()


def flipping_a_coin() -> FlippingACoin:
    """A net that draws from Python's generator."""
    return FlippingACoin(True, 0.0)


def asking_the_system() -> AskingTheSystem:
    """A net that no seed can repeat."""
    return AskingTheSystem(True, 0.0)


class ShrinkingGradients(Callback):
    """Divides the gradients by the number of updates that it has seen."""

    def __init__(self) -> None:
        self.seen = 0

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Count and divide."""
        self.seen += 1
        for parameter in pl_module.parameters():
            if parameter.grad is not None:
                parameter.grad /= self.seen
