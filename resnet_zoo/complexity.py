"""How large a network is and how much it computes: parameters and multiply-adds, layer by layer.

A multiply-add is one multiplication with the addition of its product, as in the tables of He et al. 2015
(arXiv:1512.03385, "FLOPs (multiply-adds)"). Convolutions and linear layers are counted; biases, normalisation,
activations and pooling are not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True)
class Complexity:
    """What one image costs.

    Attributes:
        parameters: number of trainable and frozen parameters; a shared one counts once.
        multiply_adds: multiply-adds of convolutions and linear layers for one image.
        multiply_adds_of: the same per leaf module, by its name in ``model.named_modules()``.
        output_size_of: shape of a module's output without the batch dimension, by name; modules that return
            something else than a tensor, or were not called, are missing.
    """

    parameters: int
    multiply_adds: int
    multiply_adds_of: dict[str, int]
    output_size_of: dict[str, tuple[int, ...]]

    def multiply_adds_within(self, name: str) -> int:
        """Multiply-adds of the module of that name and of everything inside it; "" is the whole model."""
        return sum(
            count
            for leaf, count in self.multiply_adds_of.items()
            if not name or f"{leaf}.".startswith(f"{name}.")
        )


def count_parameters(module: nn.Module) -> int:
    """Number of parameters, trainable or not; a parameter used in two places counts once."""
    return sum(parameter.numel() for parameter in module.parameters())


def measure_complexity(
    model: nn.Module, image_size: int | tuple[int, int], in_channels: int = 3
) -> Complexity:
    """Count by running one image of zeros through the model in eval mode, on the device of its parameters.

    A model built under ``torch.device("meta")`` is counted without computing or allocating anything.

    Args:
        model: any module that takes images (1, in_channels, h, w).
        image_size: side of a square image in pixels, or (height, width).
        in_channels: channels of the image.
    """
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    some_parameter = next(model.parameters(), torch.empty(0))
    images = torch.zeros(
        1, in_channels, height, width, device=some_parameter.device, dtype=some_parameter.dtype
    )
    multiply_adds_of: dict[str, int] = {}
    output_size_of: dict[str, tuple[int, ...]] = {}
    was_training = model.training
    model.eval()
    try:
        with _counting(model, multiply_adds_of, output_size_of), torch.no_grad():
            model(images)
    finally:
        model.train(was_training)
    total = sum(multiply_adds_of.values())
    return Complexity(count_parameters(model), total, multiply_adds_of, output_size_of)


@contextmanager
def _counting(
    model: nn.Module, multiply_adds_of: dict[str, int], output_size_of: dict[str, tuple[int, ...]]
) -> Iterator[None]:
    def watch(name: str, module: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def note(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            if isinstance(output, Tensor):
                output_size_of[name] = tuple(output.shape[1:])
                count = _multiply_adds(module, inputs, output)
                if count:  # a module that is called twice costs twice
                    multiply_adds_of[name] = multiply_adds_of.get(name, 0) + count

        return module.register_forward_hook(note)

    handles = [watch(name, module) for name, module in model.named_modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _multiply_adds(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> int:
    """Multiply-adds of one call of a layer for the whole batch, which here is one image."""
    if isinstance(module, _CONVOLUTIONS):
        return output.numel() * module.in_channels // module.groups * math.prod(module.kernel_size)
    if isinstance(module, _TRANSPOSED):
        return int(inputs[0].numel()) * module.out_channels // module.groups * math.prod(module.kernel_size)
    if isinstance(module, nn.Linear):
        return output.numel() * module.in_features
    return 0
