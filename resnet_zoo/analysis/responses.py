"""How strongly each layer of a network responds (He et al. 2015, arXiv:1512.03385, section 4.2 and figure 7).

The response of a layer is its output after batch norm and before the nonlinearity and the addition. In a residual
network it is what a block adds to its input, so its size says how much the block changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from resnet_zoo.analysis.layers import WEIGHTED, Layer, Part, evaluating, weighted_layers

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm, nn.LayerNorm, nn.SyncBatchNorm)


@dataclass(frozen=True)
class LayerResponse:
    """The response of one layer.

    Attributes:
        layer: the layer's name in ``model.named_modules()``.
        part: where the layer is, see ``layers.Part``.
        kernel_size: side of the receptive field.
        measured_at: name of the module whose output it is: the norm behind the layer, or the layer where none follows.
        std: standard deviation over images, channels and positions.
        mean: mean over the same.
    """

    layer: str
    part: Part
    kernel_size: int
    measured_at: str
    std: float
    mean: float


class _Moments:
    """Sums of a stream of tensors."""

    def __init__(self) -> None:
        self.count, self.total, self.squares = 0, 0.0, 0.0

    def add(self, values: Tensor) -> None:
        values = values.detach().double()
        self.count += values.numel()
        self.total += float(values.sum())
        self.squares += float(values.square().sum())

    @property
    def mean(self) -> float:
        return self.total / self.count

    @property
    def std(self) -> float:
        return math.sqrt(max(self.squares / self.count - self.mean**2, 0.0))


def layer_responses(
    model: nn.Module, batches: Iterable[Float[Tensor, "batch channels height width"]]
) -> list[LayerResponse]:
    """Responses of all layers over some batches, in evaluation mode; the model stays as it is.

    Works for any network: which norm belongs to a layer is seen from what is fed to what, not from names.

    Args:
        model: takes images.
        batches: images, on the model's device.

    Returns:
        One entry for each convolution and fully connected layer that was used, in the order of their first use.
    """
    watch = _Watch(model)
    with evaluating(model), torch.no_grad(), watch:
        for images in batches:
            watch.forget()
            model(images)
    return watch.responses()


class _Watch:
    """Hooks that see a network's layers and norms as they are called."""

    def __init__(self, model: nn.Module) -> None:
        self._layers: dict[nn.Module, Layer] = {layer.module: layer for layer in weighted_layers(model)}
        self._norms: dict[nn.Module, str] = {
            module: name for name, module in model.named_modules() if isinstance(module, _NORMS)
        }
        self._at_layer: dict[str, _Moments] = {}
        self._at_norm: dict[str, tuple[str, _Moments]] = {}
        self._handles: list[torch.utils.hooks.RemovableHandle] = []
        self._last_layer: Layer | None = None
        self._last_output: tuple[Tensor, int] | None = None

    def __enter__(self) -> None:
        for module in [*self._layers, *self._norms]:
            note = self._note_layer if isinstance(module, WEIGHTED) else self._note_norm
            self._handles.append(module.register_forward_hook(note))

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def forget(self) -> None:
        """A new pass begins."""
        self._last_layer = self._last_output = None

    def _note_layer(self, module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        # A block may add its input in place: then the norm gets the same tensor in another version.
        self._last_layer, self._last_output = self._layers[module], (output, output._version)
        self._at_layer.setdefault(self._last_layer.name, _Moments()).add(output)

    def _note_norm(self, module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        if self._last_layer is None or self._last_output is None:
            return
        output_of_layer, version = self._last_output
        if inputs[0] is not output_of_layer or inputs[0]._version != version:
            return  # it does not stand directly behind a layer, as the first norm of a pre-activation block
        _, moments = self._at_norm.setdefault(self._last_layer.name, (self._norms[module], _Moments()))
        moments.add(output)

    def responses(self) -> list[LayerResponse]:
        by_name = {layer.name: layer for layer in self._layers.values()}
        found = []
        for name, own in self._at_layer.items():
            layer = by_name[name]
            measured_at, moments = self._at_norm.get(name, (name, own))
            found.append(
                LayerResponse(name, layer.part, layer.kernel_size, measured_at, moments.std, moments.mean)
            )
        return found
