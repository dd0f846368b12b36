"""The three shortcuts of He et al. 2015 (arXiv:1512.03385, section 3.3 and table 3).

- A: the identity everywhere; where the shape changes, every other pixel and zeros for the new channels. No parameters.
- B: a 1x1 convolution where the shape changes, the identity elsewhere.
- C: a 1x1 convolution everywhere.
"""

from collections import OrderedDict
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from resnet_zoo.backbones.layers import Norm, choose, conv, make_norm

ShortcutOption = Literal["A", "B", "C"]


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
) -> nn.Module:
    """The way around a block.

    Args:
        option: ``"A"``, ``"B"`` or ``"C"``, see the top of this file.
        in_channels: channels of the block's input.
        out_channels: channels of the block's output.
        stride: the block's stride.
        norm: the net's norm; follows the 1x1 convolution.
        normalize_projection: False for a bare convolution, as pre-activation nets have it.
    """
    changes_shape = stride != 1 or in_channels != out_channels
    projects = choose("shortcut", option, {"A": False, "B": changes_shape, "C": True})
    if projects:
        projection = conv(in_channels, out_channels, 1, stride=stride, bias=norm == "none")
        if not normalize_projection:
            return projection
        return nn.Sequential(OrderedDict(conv=projection, norm=make_norm(norm, out_channels)))
    return PaddedIdentity(stride, out_channels - in_channels) if changes_shape else nn.Identity()
