"""Residual networks for CIFAR (He et al. 2015, arXiv:1512.03385, section 4.2 and table 6).

At 32x32 pixels, with n = (depth - 2) / 6:

    part     output   layers
    stem     32x32    3x3, 16
    stage 1  32x32    n basic blocks of 16
    stage 2  16x16    n basic blocks of 32
    stage 3  8x8      n basic blocks of 64
    pool     1x1      global average

The paper uses identity shortcuts (option A) throughout, so that each net has exactly as many parameters as its plain
twin in ``cifar_plain.py``.
"""

from functools import partial

from resnet_zoo.backbones.base import preset
from resnet_zoo.backbones.cifar import stage_depths, stage_widths
from resnet_zoo.backbones.layers import Activation, Initialization, Norm, check_positive, conv_layer
from resnet_zoo.backbones.resnet import BasicBlock, ResNet
from resnet_zoo.backbones.shortcuts import ShortcutOption
from resnet_zoo.registry import register_backbone


@register_backbone
def resnet_cifar(
    *,
    depth: int = 20,
    width: int = 16,
    shortcut: ShortcutOption = "A",
    activation: Activation = "relu",
    norm: Norm = "batch",
    initialization: Initialization = "he",
    zero_init_residual: bool = False,
    drop_path: float = 0.0,
    in_channels: int = 3,
) -> ResNet:
    """ResNet of 6n + 2 layers for CIFAR (He et al. 2015, arXiv:1512.03385, table 6).

    Args:
        depth: number of layers, 6n + 2: 8, 14, 20, 26, 32 and so on.
        width: channels of the first stage; 16 in the paper.
        shortcut: A, B or C, A in the paper; D averages (ResNet-D).
        activation: the nonlinearity of every layer.
        norm: batch norm after every convolution, or none.
        initialization: how the weights start.
        zero_init_residual: start each block as its shortcut alone.
        drop_path: chance to leave out the last residual branch, linearly less before (Huang 2016, arXiv:1603.09382).
        in_channels: channels of the images.

    Raises:
        InvalidValue: a depth that is not 6n + 2; the text names the nearest ones that are.
    """
    check_positive(in_channels=in_channels)
    widths = stage_widths(width)
    block = partial(
        BasicBlock, shortcut=shortcut, activation=activation, norm=norm, zero_init_residual=zero_init_residual
    )
    stem = conv_layer(in_channels, width, 3, activation=activation, norm=norm)
    return ResNet(
        stem=stem,
        block=block,
        depths=stage_depths(depth),
        widths=widths,
        initialization=initialization,
        drop_path=drop_path,
    )


resnet20_cifar = register_backbone(preset(resnet_cifar, __name__, "resnet20_cifar", depth=20))
resnet32_cifar = register_backbone(preset(resnet_cifar, __name__, "resnet32_cifar", depth=32))
resnet44_cifar = register_backbone(preset(resnet_cifar, __name__, "resnet44_cifar", depth=44))
resnet56_cifar = register_backbone(preset(resnet_cifar, __name__, "resnet56_cifar", depth=56))
resnet110_cifar = register_backbone(preset(resnet_cifar, __name__, "resnet110_cifar", depth=110))
resnet1202_cifar = register_backbone(preset(resnet_cifar, __name__, "resnet1202_cifar", depth=1202))
