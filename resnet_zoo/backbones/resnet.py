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
from resnet_zoo.backbones.blur import BlurPlacement, BlurPool, halving_activation, halving_conv
from resnet_zoo.backbones.drop_path import add_drop_path
from resnet_zoo.backbones.layers import (
    Activation,
    Initialization,
    Norm,
    Stem,
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
        blur_pool: BlurPlacement = "none",
    ) -> None:
        super().__init__()
        self.out_channels = width
        self.conv1 = halving_conv(in_channels, width, 3, stride=stride, bias=norm == "none", blur=blur_pool)
        self.norm1 = make_norm(norm, width)
        self.activation1 = halving_activation(activation, width, stride=stride, blur=blur_pool)
        self.conv2 = conv(width, width, 3, bias=norm == "none")
        self.norm2 = make_norm(norm, width)
        self.drop_path = nn.Identity()
        self.shortcut = make_shortcut(
            shortcut, in_channels, width, stride, norm=norm, blurred=blur_pool != "none"
        )
        self.activation2 = make_activation(activation)
        if zero_init_residual:
            zero_scale(self.norm2)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch {self.out_channels} out_height out_width"]:
        out = self.activation1(self.norm1(self.conv1(x)))
        out = self.drop_path(self.norm2(self.conv2(out)))
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
        drop_path: probability of leaving out the last block's residual branch, see ``drop_path.py``.
    """

    def __init__(
        self,
        *,
        stem: nn.Module,
        block: Callable[[int, int, int], Block],
        depths: Sequence[int],
        widths: Sequence[int],
        initialization: Initialization = "he",
        drop_path: float = 0.0,
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
        add_drop_path(self.stages, drop_path)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.num_features = channels
        initialize(self, initialization)

    def forward(
        self, images: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch {self.num_features}"]:
        features: Tensor = self.pool(self.stages(self.stem(images))).flatten(1)
        return features


WIDTHS = (64, 128, 256, 512)


def residual_stem(
    in_channels: int, *, kind: Stem, activation: Activation, norm: Norm, blur_pool: BlurPlacement
) -> nn.Sequential:
    """The stem of an ImageNet ResNet, its max-pool blurred where the convolutions are blurred after.

    Args:
        in_channels: channels of the images.
        kind: ``"7x7"`` or ``"deep"``, see ``layers.imagenet_stem``.
        activation: the nonlinearity.
        norm: ``"batch"`` or ``"none"``.
        blur_pool: where the blur goes, see ``blur.py``.
    """
    stem = imagenet_stem(in_channels, WIDTHS[0], activation=activation, norm=norm, kind=kind)
    if blur_pool == "after":
        dense = nn.MaxPool2d(kernel_size=3, stride=1, padding=1)
        stem.pool = nn.Sequential(dense, BlurPool(WIDTHS[0], stride=2))
    return stem


def basic_resnet(
    *,
    depths: tuple[int, int, int, int],
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
    """ResNet of basic blocks for ImageNet (He et al. 2015, arXiv:1512.03385, table 1).

    Args:
        depths: blocks in each of the four stages.
        shortcut: A, B or C as compared in the paper's tables 2 and 3, B is usually meant; D averages (ResNet-D).
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
        BasicBlock,
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


resnet18 = register_backbone(preset(basic_resnet, __name__, "resnet18", depths=(2, 2, 2, 2)))
resnet34 = register_backbone(preset(basic_resnet, __name__, "resnet34", depths=(3, 4, 6, 3)))
