"""The weighted layers of a network in order, and which road through it each of them is on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from torch import nn

Part = Literal["main", "shortcut", "gate", "head"]
"""Where a layer is: on the way from the images to the features, beside a block, in a gate, or behind the features."""

WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)

_PARTS: dict[str, Part] = {
    "shortcut": "shortcut",
    "downsample": "shortcut",  # torchvision's name for it
    "transform_gate": "gate",
}


@dataclass(frozen=True)
class Layer:
    """A convolution or fully connected layer.

    Attributes:
        name: in ``model.named_modules()``.
        module: the layer itself.
        part: where it is.
        kernel_size: side of a convolution's receptive field; 1 for a fully connected layer.
    """

    name: str
    module: nn.Module
    part: Part
    kernel_size: int


def weighted_layers(model: nn.Module) -> list[Layer]:
    """All convolutions and fully connected layers, in the order in which the model registered them."""
    return [
        Layer(name, module, part_of(name), _kernel_size(module))
        for name, module in model.named_modules()
        if isinstance(module, WEIGHTED)
    ]


def part_of(name: str) -> Part:
    """Where the layer of that name is, by the words that the zoo's nets and torchvision's use."""
    words = name.split(".")
    if words[0] == "head":
        return "head"
    return next((_PARTS[word] for word in words if word in _PARTS), "main")


def _kernel_size(module: nn.Module) -> int:
    size = getattr(module, "kernel_size", (1,))
    return int(size[0])


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode within the block; every module gets its own mode back behind it."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
