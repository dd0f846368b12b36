"""A stack of equal layers: the simplest deep network, to see what depth alone does to a gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from resnet_zoo.errors import InvalidValue

StackActivation = Literal["sigmoid", "tanh", "relu"]

_ACTIVATIONS: dict[str, type[nn.Module]] = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}


class StackedLayer(nn.Module):
    """3x3 convolution, norm, the input added if asked for, activation."""

    def __init__(
        self, in_channels: int, width: int, activation: StackActivation, norm: bool, shortcut: bool
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, width, 3, padding=1, bias=not norm)
        self.norm = nn.BatchNorm2d(width) if norm else nn.Identity()
        self.activation = _ACTIVATIONS[activation]()
        self.adds_input = shortcut and in_channels == width

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch width height width_"]:
        out = self.norm(self.conv(x))
        y: Tensor = self.activation(out + x if self.adds_input else out)
        return y


class LayerStack(nn.Module):
    """``depth`` convolutions of one width at one resolution, global average pooling, a linear head: images to logits.

    Args:
        depth: number of convolutions.
        draw: fills a convolution's weights in place, such as ``torch.nn.init.kaiming_normal_``; None leaves what
            PyTorch draws. Biases start at zero where something is drawn.
        activation: the nonlinearity of every layer.
        norm: batch norm before the activation.
        shortcut: add each layer's input to its output before the activation, wherever the shapes agree.
        width: channels of every layer.
        in_channels: channels of the images.
        num_classes: number of logits.

    Raises:
        InvalidValue: a depth below one, or an unknown activation.
    """

    def __init__(
        self,
        depth: int,
        *,
        draw: Callable[[Tensor], object] | None,
        activation: StackActivation = "relu",
        norm: bool = False,
        shortcut: bool = False,
        width: int = 16,
        in_channels: int = 3,
        num_classes: int = 10,
    ) -> None:
        super().__init__()
        if depth < 1:
            raise InvalidValue(f"depth={depth}: a stack has at least one layer.")
        if activation not in _ACTIVATIONS:
            raise InvalidValue(
                f"activation={activation!r} is not known. Choose one of {', '.join(map(repr, _ACTIVATIONS))}."
            )
        channels = [in_channels, *[width] * depth]
        self.layers = nn.Sequential(
            *(StackedLayer(inner, width, activation, norm, shortcut) for inner in channels[:-1])
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(width, num_classes)
        if draw is not None:
            for module in self.layers.modules():
                if isinstance(module, nn.Conv2d):
                    draw(module.weight)
                    if module.bias is not None:
                        nn.init.zeros_(module.bias)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        logits: Tensor = self.head(self.pool(self.layers(images)).flatten(1))
        return logits
