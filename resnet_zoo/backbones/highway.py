"""Highway networks (Srivastava, Greff & Schmidhuber 2015, "Training Very Deep Networks", arXiv:1507.06228).

A highway layer mixes what a plain layer makes of its input, H(x), with the input itself; a learned gate T(x) between
0 and 1 decides for each value how much of which (equation 3): y = H(x) T(x) + x (1 - T(x)). ``fully_connected.py``
stacks such layers on flat vectors, this file on feature maps, at 32x32 pixels:

    part     output   highway19_cifar                   highway32_cifar
    stem     32x32    3x3, 32                           3x3, 32
    stage 1  32x32    4 highway layers, 3x3, 32         9 highway layers, 1x1 and 3x3 in turn, 32
    stage 2  16x16    3x3, 80; 5 highway layers, 3x3    3x3, 64; 9 highway layers, 1x1 and 3x3 in turn
    stage 3  8x8      3x3, 128; 5 highway layers, 3x3   3x3, 96; 9 highway layers, 1x1 and 3x3 in turn
    last     8x8      1x1, 100                          1x1, 100
    pool     1x1      global average                    global average

The size changes in plain layers, behind a 2x2 max-pool; dropout of 0.2 stands before the stem, each of these layers
and the head. This is the authors' published 19-layer net (github.com/flukeskywalker/highway-networks), "Highway B" of
table 2 with the last fully connected layer replaced as in section 3.3.2. Of "Highway C" the paper says that it has 32
layers, alternates 3x3 and 1x1, is thinner and has about 1.25M parameters; stages, widths and everything else that
``highway32_cifar`` needs beyond that are ours, chosen to meet this number. The head counts as the last layer.

Weights start as in all but the first and last layer of the published net, whose framework's "xavier" has variance
1 / fan_in. With the smaller variance of Glorot & Bengio's rule in layers that widen, features fade and the net is slow
to start.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from resnet_zoo.backbones.base import Backbone
from resnet_zoo.backbones.layers import Activation, Initialization, Norm, conv, conv_layer, initialize


class HighwayBlock(nn.Module):
    """One layer and the gate that decides how much of it replaces the input (section 2, equation 3).

    Args:
        transform: the plain layer H; its output has the shape of its input.
        gate: the affine map of the gate, of the same shape.

    Attributes:
        transform_gate: its output is T, between 0 (the block is the identity) and 1 (the block is ``transform``).
    """

    def __init__(self, transform: nn.Module, gate: nn.Conv2d | nn.Linear) -> None:
        super().__init__()
        self.transform = transform
        self.transform_gate = nn.Sequential(gate, nn.Sigmoid())

    def forward(self, x: Float[Tensor, "batch channels *size"]) -> Float[Tensor, "batch channels *size"]:
        return torch.lerp(x, self.transform(x), self.transform_gate(x))


def start_gates(net: nn.Module, carry_bias: float) -> None:
    """Set the bias of every gate, so that it starts near sigmoid(``carry_bias``): the lower, the more is carried."""
    for block in net.modules():
        if isinstance(block, HighwayBlock):
            nn.init.constant_(block.transform_gate.get_parameter("0.bias"), carry_bias)


def carry_bias_for(depth: int) -> float:
    """The paper's guideline for convolutional nets, -1, -2, -3 at about 10, 20, 30 layers (section 2.2), extended.

    It searched down to -10 for the 100 layers of section 3.1, where this ends.
    """
    return float(-min(max(round(depth / 10), 1), 10))


class HighwayNet(Backbone):
    """A stem, stages of highway blocks, one more layer, global average pooling.

    Args:
        in_channels: channels of the images.
        depths: highway blocks in each stage, not counting the stem and the layers that change the size.
        widths: width of each stage; every stage but the first halves the resolution.
        kernel_sizes: receptive fields of the highway layers of a stage, in turn.
        carry_bias: initial bias of the gates; None leaves the gates out, which makes the plain twin.
        dropout: probability of dropping a value of the images, behind each max-pool, and before the head.
        last_width: channels of the last layer.
        activation: the nonlinearity of H and of the plain layers.
        norm: norm in H and in the plain layers; the paper has none.
        initialization: how the weights start.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        depths: Sequence[int],
        widths: Sequence[int],
        kernel_sizes: Sequence[int],
        carry_bias: float | None,
        dropout: float,
        last_width: int = 100,
        activation: Activation = "relu",
        norm: Norm = "none",
        initialization: Initialization = "lecun",
    ) -> None:
        super().__init__()

        def layer(in_channels: int, width: int, kernel_size: int) -> nn.Sequential:
            return conv_layer(in_channels, width, kernel_size, activation=activation, norm=norm)

        self.stem = nn.Sequential(nn.Dropout(dropout), layer(in_channels, widths[0], 3))
        self.stages = nn.Sequential()
        channels = widths[0]
        for depth, width in zip(depths, widths, strict=True):
            stage = nn.Sequential()
            if len(self.stages) > 0:
                stage.append(nn.Sequential(nn.MaxPool2d(2), nn.Dropout(dropout), layer(channels, width, 3)))
            for position in range(depth):
                kernel_size = kernel_sizes[position % len(kernel_sizes)]
                transform = layer(width, width, kernel_size)
                if carry_bias is None:
                    stage.append(transform)
                else:
                    stage.append(HighwayBlock(transform, conv(width, width, kernel_size, bias=True)))
            channels = width
            self.stages.append(stage)
        self.last = layer(channels, last_width, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.num_features = last_width
        initialize(self, initialization)
        if carry_bias is not None:
            start_gates(self, carry_bias)

    def forward(
        self, images: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch {self.num_features}"]:
        maps = self.last(self.stages(self.stem(images)))
        features: Tensor = self.dropout(self.pool(maps).flatten(1))
        return features
