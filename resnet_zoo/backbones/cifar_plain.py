"""Plain networks for CIFAR (He et al. 2015, arXiv:1512.03385, section 4.2 and figure 6, left).

At 32x32 pixels, with n = (depth - 2) / 6:

    part     output   layers
    stem     32x32    3x3, 16
    stage 1  32x32    n plain blocks of 16
    stage 2  16x16    n plain blocks of 32
    stage 3  8x8      n plain blocks of 64
    pool     1x1      global average

Each is the net of the same depth in ``cifar_resnet.py`` without its shortcuts.
"""

from functools import partial

from resnet_zoo.backbones.base import preset
from resnet_zoo.backbones.cifar import stage_depths, stage_widths
from resnet_zoo.backbones.layers import Activation, Initialization, Norm, check_positive, conv_layer
from resnet_zoo.backbones.plain import PlainBlock, PlainNet
from resnet_zoo.registry import register_backbone


@register_backbone
def plain_cifar(
    *,
    depth: int = 20,
    width: int = 16,
    activation: Activation = "relu",
    norm: Norm = "batch",
    initialization: Initialization = "he",
    in_channels: int = 3,
) -> PlainNet:
    """Plain net of 6n + 2 layers for CIFAR (He et al. 2015, arXiv:1512.03385, figure 6).

    Args:
        depth: number of layers, 6n + 2: 8, 14, 20, 26, 32 and so on.
        width: channels of the first stage; 16 in the paper.
        activation: the nonlinearity of every layer.
        norm: batch norm after every convolution, or none.
        initialization: how the weights start.
        in_channels: channels of the images.

    Raises:
        InvalidValue: a depth that is not 6n + 2; the text names the nearest ones that are.
    """
    check_positive(in_channels=in_channels)
    widths = stage_widths(width)
    block = partial(PlainBlock, activation=activation, norm=norm)
    stem = conv_layer(in_channels, width, 3, activation=activation, norm=norm)
    return PlainNet(
        stem=stem, block=block, depths=stage_depths(depth), widths=widths, initialization=initialization
    )


plain20_cifar = register_backbone(preset(plain_cifar, __name__, "plain20_cifar", depth=20))
plain32_cifar = register_backbone(preset(plain_cifar, __name__, "plain32_cifar", depth=32))
plain44_cifar = register_backbone(preset(plain_cifar, __name__, "plain44_cifar", depth=44))
plain56_cifar = register_backbone(preset(plain_cifar, __name__, "plain56_cifar", depth=56))
plain110_cifar = register_backbone(preset(plain_cifar, __name__, "plain110_cifar", depth=110))
