"""The shortcuts of He et al. 2015 (arXiv:1512.03385, section 3.3 and table 3), and a later one.

- A: the identity everywhere; where the shape changes, every other pixel and zeros for the new channels. No parameters.
- B: a 1x1 convolution where the shape changes, the identity elsewhere.
- C: a 1x1 convolution everywhere.
- D: as B, with the average of 2x2 pixels before the convolution instead of a stride that skips three of four (He et
  al. 2018, "Bag of Tricks for Image Classification", arXiv:1812.01187, figure 2c, ResNet-D).
"""

from collections import OrderedDict
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from resnet_zoo.backbones.blur import BlurPool
from resnet_zoo.backbones.layers import Norm, choose, conv, make_norm

ShortcutOption = Literal["A", "B", "C", "D"]


class PaddedIdentity(nn.Module):
    """Option A where the shape changes: every ``stride``-th pixel, and zeros appended as the new channels."""

    def __init__(self, stride: int, new_channels: int) -> None:
        super().__init__()
        self.stride = stride
        self.new_channels = new_channels

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels+{self.new_channels} out_height out_width"]:
        return functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new_channels))

    def extra_repr(self) -> str:
        return f"stride={self.stride}, new_channels={self.new_channels}"


def make_shortcut(
    option: ShortcutOption,
    in_channels: int,
    out_channels: int,
    stride: int,
    *,
    norm: Norm,
    normalize_projection: bool = True,
    blurred: bool = False,
) -> nn.Module:
    """The way around a block.

    Args:
        option: ``"A"``, ``"B"``, ``"C"`` or ``"D"``, see the top of this file.
        in_channels: channels of the block's input.
        out_channels: channels of the block's output.
        stride: the block's stride.
        norm: the net's norm; follows the 1x1 convolution.
        normalize_projection: False for a bare convolution, as pre-activation nets have it.
        blurred: blur before pixels are skipped; option D skips none.
    """
    changes_shape = stride != 1 or in_channels != out_channels
    projects = choose("shortcut", option, {"A": False, "B": changes_shape, "C": True, "D": changes_shape})
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    if stride != 1 and (option == "D" or blurred):
        # At odd sizes the last row and column are averages of the pixels that there are.
        averaging = nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False)
        parts["pool"] = averaging if option == "D" else BlurPool(in_channels, stride)
        stride = 1
    if projects:
        parts["conv"] = conv(in_channels, out_channels, 1, stride=stride, bias=norm == "none")
        if normalize_projection:
            parts["norm"] = make_norm(norm, out_channels)
    elif changes_shape:
        parts["identity"] = PaddedIdentity(stride, out_channels - in_channels)
    if len(parts) == 1:
        return next(iter(parts.values()))
    return nn.Sequential(parts) if parts else nn.Identity()
