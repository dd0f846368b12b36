"""Pre-activation residual networks (He et al. 2016, "Identity Mappings", arXiv:1603.05027, figure 4 e).

Norm and activation come before each convolution, so that nothing stands on the path of the shortcuts: what leaves the
last block is the sum of the stem's output and of all residuals. A last norm and activation follow.

The net's first block, and each that changes the shape, applies its first norm and activation before the paths part
(the paper's appendix). Other details follow the authors' code (github.com/KaimingHe/resnet-1k-layers): projections are
bare 1x1 convolutions, and the first layer of a bottleneck has the stride.
"""

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from resnet_zoo.backbones.base import Backbone, Block
from resnet_zoo.backbones.drop_path import add_drop_path
from resnet_zoo.backbones.layers import (
    Activation,
    Initialization,
    Norm,
    conv,
    initialize,
    make_activation,
    make_norm,
)
from resnet_zoo.backbones.shortcuts import ShortcutOption, make_shortcut


class PreactBasicBlock(Block):
    """Norm, activation, 3x3, twice, and a shortcut around them.

    Args:
        in_channels: channels of the input.
        width: channels of the output.
        stride: 2 halves the resolution.
        first: whether this is the net's first block.
        shortcut: option A, B, C or D; projections have no norm.
        activation: the nonlinearity.
        norm: ``"batch"`` or ``"none"``.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        *,
        first: bool = False,
        shortcut: ShortcutOption = "A",
        activation: Activation = "relu",
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        bias = norm == "none"
        self.out_channels = width
        self.norm1 = make_norm(norm, in_channels)
        self.activation1 = make_activation(activation, inplace=norm != "none")  # the shortcut reads x as well
        self.conv1 = conv(in_channels, width, 3, stride=stride, bias=bias)
        self.norm2 = make_norm(norm, width)
        self.activation2 = make_activation(activation)
        self.conv2 = conv(width, width, 3, bias=bias)
        self.drop_path = nn.Identity()
        self.shortcut = make_shortcut(
            shortcut, in_channels, width, stride, norm=norm, normalize_projection=False
        )
        self.shortcut_is_activated = first or not isinstance(self.shortcut, nn.Identity)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch {self.out_channels} out_height out_width"]:
        activated = self.activation1(self.norm1(x))
        out: Tensor = self.conv1(activated)
        out = self.drop_path(self.conv2(self.activation2(self.norm2(out))))
        out += self.shortcut(activated if self.shortcut_is_activated else x)
        return out


class PreactBottleneckBlock(Block):
    """Norm, activation, convolution for 1x1, 3x3 and 1x1, the middle ones narrow, and a shortcut around them.

    Args:
        in_channels: channels of the input.
        width: channels inside; the output has ``expansion`` times as many.
        stride: of the first convolution; 2 halves the resolution.
        first: whether this is the net's first block.
        shortcut: option A, B, C or D; projections have no norm.
        activation: the nonlinearity.
        norm: ``"batch"`` or ``"none"``.
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        *,
        first: bool = False,
        shortcut: ShortcutOption = "B",
        activation: Activation = "relu",
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        bias = norm == "none"
        self.out_channels = width * self.expansion
        self.norm1 = make_norm(norm, in_channels)
        self.activation1 = make_activation(activation, inplace=norm != "none")  # the shortcut reads x as well
        self.conv1 = conv(in_channels, width, 1, stride=stride, bias=bias)
        self.norm2 = make_norm(norm, width)
        self.activation2 = make_activation(activation)
        self.conv2 = conv(width, width, 3, bias=bias)
        self.norm3 = make_norm(norm, width)
        self.activation3 = make_activation(activation)
        self.conv3 = conv(width, self.out_channels, 1, bias=bias)
        self.drop_path = nn.Identity()
        self.shortcut = make_shortcut(
            shortcut, in_channels, self.out_channels, stride, norm=norm, normalize_projection=False
        )
        self.shortcut_is_activated = first or not isinstance(self.shortcut, nn.Identity)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch {self.out_channels} out_height out_width"]:
        activated = self.activation1(self.norm1(x))
        out: Tensor = self.conv1(activated)
        out = self.conv2(self.activation2(self.norm2(out)))
        out = self.drop_path(self.conv3(self.activation3(self.norm3(out))))
        out += self.shortcut(activated if self.shortcut_is_activated else x)
        return out


class PreactResNet(Backbone):
    """A stem, stages of pre-activation blocks, a last norm and activation, global average pooling.

    Args:
        stem: images to ``widths[0]`` channels, without norm and activation.
        block: makes a block from its input channels, its stage's width, its stride and whether it is the net's first.
        depths: blocks in each stage.
        widths: width of each stage; every stage but the first halves the resolution.
        activation: the last nonlinearity.
        norm: the last norm.
        initialization: how the weights start.
        drop_path: probability of leaving out the last block's residual branch, see ``drop_path.py``.
    """

    def __init__(
        self,
        *,
        stem: nn.Module,
        block: Callable[[int, int, int, bool], Block],
        depths: Sequence[int],
        widths: Sequence[int],
        activation: Activation = "relu",
        norm: Norm = "batch",
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
                first = position == 0 and len(self.stages) == 0
                stage.append(added := block(channels, width, stride, first))
                channels = added.out_channels
            self.stages.append(stage)
        add_drop_path(self.stages, drop_path)
        self.norm = make_norm(norm, channels)
        self.activation = make_activation(activation)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.num_features = channels
        initialize(self, initialization)

    def forward(
        self, images: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch {self.num_features}"]:
        maps = self.activation(self.norm(self.stages(self.stem(images))))
        features: Tensor = self.pool(maps).flatten(1)
        return features
