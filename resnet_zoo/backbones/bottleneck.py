"""Bottleneck residual networks for ImageNet (He et al. 2015, arXiv:1512.03385, section 4.1 and table 1).

    part     output   resnet50         resnet101         resnet152
    stem     56x56    7x7, 64, stride 2; 3x3 max-pool, stride 2
    stage 1  56x56    3 blocks of 64   3 blocks of 64    3 blocks of 64
    stage 2  28x28    4 blocks of 128  4 blocks of 128   8 blocks of 128
    stage 3  14x14    6 blocks of 256  23 blocks of 256  36 blocks of 256
    stage 4  7x7      3 blocks of 512  3 blocks of 512   3 blocks of 512
    pool     1x1      global average of 4 times the last width

``wide_resnet.py`` and ``resnext.py`` vary the middle layer of the block.
"""

from functools import partial
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from resnet_zoo.backbones.base import Block, preset
from resnet_zoo.backbones.blur import BlurPlacement, halving_activation, halving_conv
from resnet_zoo.backbones.layers import (
    Activation,
    Initialization,
    Norm,
    Stem,
    check_positive,
    choose,
    conv,
    make_activation,
    make_norm,
)
from resnet_zoo.backbones.resnet import WIDTHS, ResNet, residual_stem, zero_scale
from resnet_zoo.backbones.shortcuts import ShortcutOption, make_shortcut
from resnet_zoo.registry import register_backbone

StridePlacement = Literal["3x3", "1x1"]


class BottleneckBlock(Block):
    """1x1, 3x3, 1x1 layers, the middle one narrow, and a shortcut around them (figure 5, right).

    Args:
        in_channels: channels of the input.
        width: the stage's width; the output has ``expansion`` times as many channels.
        stride: 2 halves the resolution.
        stride_placement: the layer that has the stride: ``"3x3"`` as torchvision and most later work place it
            ("v1.5"), ``"1x1"`` for the first layer, as the paper does.
        groups: groups of the 3x3 layer (Xie et al. 2016, arXiv:1611.05431).
        group_width: channels of each group at width 64; 128 doubles the narrow layers (Zagoruyko & Komodakis 2016).
        shortcut: option A, B, C or D.
        activation: the nonlinearity.
        norm: ``"batch"`` or ``"none"``.
        zero_init_residual: start the last norm's scale at zero.
        blur_pool: where to blur if the stride is 2.
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        *,
        stride_placement: StridePlacement = "3x3",
        groups: int = 1,
        group_width: int = 64,
        shortcut: ShortcutOption = "B",
        activation: Activation = "relu",
        norm: Norm = "batch",
        zero_init_residual: bool = False,
        blur_pool: BlurPlacement = "none",
    ) -> None:
        super().__init__()
        first, middle = choose("stride_placement", stride_placement, {"3x3": (1, stride), "1x1": (stride, 1)})
        narrow = width * group_width // 64 * groups
        bias = norm == "none"
        self.out_channels = width * self.expansion
        self.conv1 = halving_conv(in_channels, narrow, 1, stride=first, bias=bias, blur=blur_pool)
        self.norm1 = make_norm(norm, narrow)
        self.activation1 = halving_activation(activation, narrow, stride=first, blur=blur_pool)
        self.conv2 = halving_conv(narrow, narrow, 3, stride=middle, groups=groups, bias=bias, blur=blur_pool)
        self.norm2 = make_norm(norm, narrow)
        self.activation2 = halving_activation(activation, narrow, stride=middle, blur=blur_pool)
        self.conv3 = conv(narrow, self.out_channels, 1, bias=bias)
        self.norm3 = make_norm(norm, self.out_channels)
        self.drop_path = nn.Identity()
        self.shortcut = make_shortcut(
            shortcut, in_channels, self.out_channels, stride, norm=norm, blurred=blur_pool != "none"
        )
        self.activation3 = make_activation(activation)
        if zero_init_residual:
            zero_scale(self.norm3)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch {self.out_channels} out_height out_width"]:
        out = self.activation1(self.norm1(self.conv1(x)))
        out = self.activation2(self.norm2(self.conv2(out)))
        out = self.drop_path(self.norm3(self.conv3(out)))
        out += self.shortcut(x)
        y: Tensor = self.activation3(out)
        return y


def bottleneck_resnet(
    *,
    depths: tuple[int, int, int, int],
    groups: int,
    group_width: int,
    stride_placement: StridePlacement = "3x3",
    shortcut: ShortcutOption = "B",
    activation: Activation = "relu",
    norm: Norm = "batch",
    initialization: Initialization = "he",
    zero_init_residual: bool = False,
    stem: Stem = "7x7",
    blur_pool: BlurPlacement = "none",
    drop_path: float = 0.0,
    in_channels: int = 3,
) -> ResNet:
    """ResNet of bottleneck blocks for ImageNet (He et al. 2015, arXiv:1512.03385, table 1).

    Args:
        depths: blocks in each of the four stages.
        groups: groups of the 3x3 convolutions.
        group_width: channels of each group in the first stage.
        stride_placement: the layer that halves the resolution: the 3x3 as torchvision, or the first 1x1 as the paper.
        shortcut: A, B or C, the paper's nets have B; D averages (ResNet-D).
        activation: the nonlinearity of every layer.
        norm: batch norm after every convolution, or none.
        initialization: how the weights start.
        zero_init_residual: start each block as its shortcut alone.
        stem: one 7x7 convolution as in the paper, or the deep stem of three 3x3 (He et al. 2018, arXiv:1812.01187).
        blur_pool: blur where the resolution halves, after or before the convolution (Zhang 2019, arXiv:1904.11486).
        drop_path: chance to leave out the last residual branch, linearly less before (Huang 2016, arXiv:1603.09382).
        in_channels: channels of the images.
    """
    check_positive(in_channels=in_channels)
    block = partial(
        BottleneckBlock,
        stride_placement=stride_placement,
        groups=groups,
        group_width=group_width,
        shortcut=shortcut,
        activation=activation,
        norm=norm,
        zero_init_residual=zero_init_residual,
        blur_pool=blur_pool,
    )
    return ResNet(
        stem=residual_stem(in_channels, kind=stem, activation=activation, norm=norm, blur_pool=blur_pool),
        block=block,
        depths=depths,
        widths=WIDTHS,
        initialization=initialization,
        drop_path=drop_path,
    )


resnet50 = register_backbone(
    preset(bottleneck_resnet, __name__, "resnet50", depths=(3, 4, 6, 3), groups=1, group_width=64)
)
resnet101 = register_backbone(
    preset(bottleneck_resnet, __name__, "resnet101", depths=(3, 4, 23, 3), groups=1, group_width=64)
)
resnet152 = register_backbone(
    preset(bottleneck_resnet, __name__, "resnet152", depths=(3, 8, 36, 3), groups=1, group_width=64)
)
