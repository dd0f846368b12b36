"""Residual networks (He et al. 2015, "Deep Residual Learning", arXiv:1512.03385) and their basic block.

The ImageNet nets of table 1, at 224x224 pixels:

    part     output   resnet18         resnet34
    stem     56x56    7x7, 64, stride 2; 3x3 max-pool, stride 2
    stage 1  56x56    2 blocks of 64   3 blocks of 64
    stage 2  28x28    2 blocks of 128  4 blocks of 128
    stage 3  14x14    2 blocks of 256  6 blocks of 256
    stage 4  7x7      2 blocks of 512  3 blocks of 512
    pool     1x1      global average

The first block of each stage but the first halves the resolution. ``plain.py`` is this file without the addition;
``bottleneck.py`` has the deeper nets and ``cifar_resnet.py`` the ones for CIFAR.
"""

from collections.abc import Callable, Sequence
from functools import partial

from jaxtyping import Float
from torch import Tensor, nn

from resnet_zoo.backbones.base import Backbone, Block, preset
from resnet_zoo.backbones.layers import (
    Activation,
    Initialization,
    Norm,
    check_positive,
    conv,
    imagenet_stem,
    initialize,
    make_activation,
    make_norm,
)
from resnet_zoo.backbones.shortcuts import ShortcutOption, make_shortcut
from resnet_zoo.errors import InvalidValue
from resnet_zoo.registry import register_backbone


class BasicBlock(Block):
    """Two 3x3 layers and a shortcut around them (figure 5, left)."""

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        *,
        shortcut: ShortcutOption = "B",
        activation: Activation = "relu",
        norm: Norm = "batch",
        zero_init_residual: bool = False,
    ) -> None:
        super().__init__()
        self.out_channels = width
        self.conv1 = conv(in_channels, width, 3, stride=stride, bias=norm == "none")
        self.norm1 = make_norm(norm, width)
        self.activation1 = make_activation(activation)
        self.conv2 = conv(width, width, 3, bias=norm == "none")
        self.norm2 = make_norm(norm, width)
        self.shortcut = make_shortcut(shortcut, in_channels, width, stride, norm=norm)
        self.activation2 = make_activation(activation)
        if zero_init_residual:
            zero_scale(self.norm2)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch {self.out_channels} out_height out_width"]:
        out = self.activation1(self.norm1(self.conv1(x)))
        out = self.norm2(self.conv2(out))
        out += self.shortcut(x)
        y: Tensor = self.activation2(out)
        return y


def zero_scale(norm: nn.Module) -> None:
    """Let a residual branch start at zero, its block as its shortcut (Goyal et al. 2017, arXiv:1706.02677, 5.1).

    Raises:
        InvalidValue: the norm has no scale.
    """
    if not isinstance(norm, nn.BatchNorm2d):
        raise InvalidValue(
            "zero_init_residual=True sets the last batch norm's scale to zero; it needs norm='batch'."
        )
    nn.init.zeros_(norm.weight)


class ResNet(Backbone):
    """A stem, stages of residual blocks, global average pooling.

    Args:
        stem: images to ``widths[0]`` channels.
        block: makes a block from its input channels, its stage's width and its stride.
        depths: blocks in each stage.
        widths: width of each stage; every stage but the first halves the resolution.
        initialization: how the weights start.
    """

    def __init__(
        self,
        *,
        stem: nn.Module,
        block: Callable[[int, int, int], Block],
        depths: Sequence[int],
        widths: Sequence[int],
        initialization: Initialization = "he",
    ) -> None:
        super().__init__()
        self.stem = stem
        self.stages = nn.Sequential()
        channels = widths[0]
        for depth, width in zip(depths, widths, strict=True):
            stage = nn.Sequential()
            for position in range(depth):
                stride = 2 if position == 0 and len(self.stages) > 0 else 1
                stage.append(added := block(channels, width, stride))
                channels = added.out_channels
            self.stages.append(stage)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.num_features = channels
        initialize(self, initialization)

    def forward(
        self, images: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch {self.num_features}"]:
        features: Tensor = self.pool(self.stages(self.stem(images))).flatten(1)
        return features


WIDTHS = (64, 128, 256, 512)


def basic_resnet(
    *,
    depths: tuple[int, int, int, int],
    shortcut: ShortcutOption = "B",
    activation: Activation = "relu",
    norm: Norm = "batch",
    initialization: Initialization = "he",
    zero_init_residual: bool = False,
    in_channels: int = 3,
) -> ResNet:
    """ResNet of basic blocks for ImageNet (He et al. 2015, arXiv:1512.03385, table 1).

    Args:
        depths: blocks in each of the four stages.
        shortcut: A, B or C; the paper's tables 2 and 3 compare them, B is what is usually meant.
        activation: the nonlinearity of every layer.
        norm: batch norm after every convolution, or none.
        initialization: how the weights start.
        zero_init_residual: start each block as its shortcut alone.
        in_channels: channels of the images.
    """
    check_positive(in_channels=in_channels)
    block = partial(
        BasicBlock, shortcut=shortcut, activation=activation, norm=norm, zero_init_residual=zero_init_residual
    )
    stem = imagenet_stem(in_channels, WIDTHS[0], activation=activation, norm=norm)
    return ResNet(stem=stem, block=block, depths=depths, widths=WIDTHS, initialization=initialization)


resnet18 = register_backbone(preset(basic_resnet, __name__, "resnet18", depths=(2, 2, 2, 2)))
resnet34 = register_backbone(preset(basic_resnet, __name__, "resnet34", depths=(3, 4, 6, 3)))
