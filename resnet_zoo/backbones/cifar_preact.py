"""Pre-activation residual networks for CIFAR (He et al. 2016, arXiv:1603.05027, tables 2, 3 and 4).

At 32x32 pixels:

    part     output   basic blocks, 6n + 2 layers   bottleneck blocks, 9n + 2 layers
    stem     32x32    3x3, 16                       3x3, 16
    stage 1  32x32    n blocks of 16                n blocks of 64, 16 inside
    stage 2  16x16    n blocks of 32                n blocks of 128, 32 inside
    stage 3  8x8      n blocks of 64                n blocks of 256, 64 inside
             8x8      norm, activation              norm, activation
    pool     1x1      global average                global average

The 110-layer net is built of basic blocks and has the option A shortcuts of the original net of that depth; the 164-
and 1001-layer nets are the authors' bottleneck nets with projections where the shape changes (option B).
"""

from resnet_zoo.backbones.base import Block, preset
from resnet_zoo.backbones.cifar import stage_depths, stage_widths
from resnet_zoo.backbones.layers import Activation, Initialization, Norm, check_positive, conv
from resnet_zoo.backbones.preact import PreactBasicBlock, PreactBottleneckBlock, PreactResNet
from resnet_zoo.backbones.shortcuts import ShortcutOption
from resnet_zoo.registry import register_backbone


@register_backbone
def preact_resnet_cifar(
    *,
    depth: int = 110,
    width: int = 16,
    shortcut: ShortcutOption = "A",
    activation: Activation = "relu",
    norm: Norm = "batch",
    initialization: Initialization = "he",
    drop_path: float = 0.0,
    in_channels: int = 3,
) -> PreactResNet:
    """Pre-activation ResNet of 6n + 2 layers, in basic blocks, for CIFAR (He et al. 2016, arXiv:1603.05027).

    Args:
        depth: number of layers, 6n + 2: 8, 14, 20, 26, 32 and so on.
        width: channels of the first stage; 16 in the paper.
        shortcut: A, B, C or D.
        activation: the nonlinearity before every convolution but the stem.
        norm: batch norm before each of them, or none.
        initialization: how the weights start.
        drop_path: chance to leave out the last residual branch, linearly less before (Huang 2016, arXiv:1603.09382).
        in_channels: channels of the images.

    Raises:
        InvalidValue: a depth that is not 6n + 2; the text names the nearest ones that are.
    """
    check_positive(in_channels=in_channels)
    widths = stage_widths(width)

    def block(in_channels: int, width: int, stride: int, first: bool) -> Block:
        return PreactBasicBlock(
            in_channels, width, stride, first=first, shortcut=shortcut, activation=activation, norm=norm
        )

    return PreactResNet(
        stem=conv(in_channels, width, 3, bias=norm == "none"),
        block=block,
        depths=stage_depths(depth),
        widths=widths,
        activation=activation,
        norm=norm,
        initialization=initialization,
        drop_path=drop_path,
    )


@register_backbone
def preact_bottleneck_cifar(
    *,
    depth: int = 164,
    width: int = 16,
    shortcut: ShortcutOption = "B",
    activation: Activation = "relu",
    norm: Norm = "batch",
    initialization: Initialization = "he",
    drop_path: float = 0.0,
    in_channels: int = 3,
) -> PreactResNet:
    """Pre-activation ResNet of 9n + 2 layers, in bottleneck blocks, for CIFAR (He et al. 2016, arXiv:1603.05027).

    Args:
        depth: number of layers, 9n + 2: 11, 20, 29, 38, 47 and so on.
        width: channels inside the first stage's blocks; 16 in the paper.
        shortcut: A, B, C or D; B in the authors' code.
        activation: the nonlinearity before every convolution but the stem.
        norm: batch norm before each of them, or none.
        initialization: how the weights start.
        drop_path: chance to leave out the last residual branch, linearly less before (Huang 2016, arXiv:1603.09382).
        in_channels: channels of the images.

    Raises:
        InvalidValue: a depth that is not 9n + 2; the text names the nearest ones that are.
    """
    check_positive(in_channels=in_channels)
    widths = stage_widths(width)

    def block(in_channels: int, width: int, stride: int, first: bool) -> Block:
        return PreactBottleneckBlock(
            in_channels, width, stride, first=first, shortcut=shortcut, activation=activation, norm=norm
        )

    return PreactResNet(
        stem=conv(in_channels, width, 3, bias=norm == "none"),
        block=block,
        depths=stage_depths(depth, layers_per_block=3),
        widths=widths,
        activation=activation,
        norm=norm,
        initialization=initialization,
        drop_path=drop_path,
    )


preact_resnet110_cifar = register_backbone(
    preset(preact_resnet_cifar, __name__, "preact_resnet110_cifar", depth=110)
)
preact_resnet164_cifar = register_backbone(
    preset(preact_bottleneck_cifar, __name__, "preact_resnet164_cifar", depth=164)
)
preact_resnet1001_cifar = register_backbone(
    preset(preact_bottleneck_cifar, __name__, "preact_resnet1001_cifar", depth=1001)
)
