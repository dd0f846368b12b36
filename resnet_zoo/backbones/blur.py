"""Halving the resolution without aliasing (Zhang 2019, "Making Convolutional Networks Shift-Invariant Again").

arXiv:1904.11486. A layer that skips every other pixel folds high frequencies into low ones; a fixed binomial filter
before the skipping takes them out. Two placements around a convolution of stride 2:

- after:  convolution at stride 1, norm, activation, then blur and skip, as in the paper. The convolution is computed
  at every pixel, four times the multiply-adds of the strided one. The stem's max-pool is blurred likewise.
- before: blur, then the convolution at stride 2, as the ImageNet training of FFCV does (Leclerc et al. 2023,
  arXiv:2306.12517). It costs almost nothing; the stem stays as it is.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from resnet_zoo.backbones.layers import Activation, choose, conv, make_activation

BlurPlacement = Literal["none", "after", "before"]


def binomial_filter(channels: int) -> Tensor:
    """The 3x3 filter [1, 2, 1] x [1, 2, 1] / 16, once for each channel: (channels, 1, 3, 3)."""
    line = torch.tensor([1.0, 2.0, 1.0]) / 4
    return (line[:, None] * line).repeat(channels, 1, 1, 1)


class BlurPool(nn.Module):
    """The binomial filter on each channel, at every ``stride``-th pixel; borders are reflected. No parameters."""

    filter: Tensor

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.register_buffer("filter", binomial_filter(channels), persistent=False)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels out_height out_width"]:
        padded = functional.pad(x, (1, 1, 1, 1), mode="reflect")
        return functional.conv2d(padded, self.filter.to(x.dtype), stride=self.stride, groups=x.shape[1])

    def extra_repr(self) -> str:
        return f"channels={len(self.filter)}, stride={self.stride}"


class BlurredConv2d(nn.Conv2d):
    """A convolution of a blurred input; its weights have the names and shapes of the convolution alone."""

    filter: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int, groups: int, bias: bool
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=bias
        )
        self.register_buffer("filter", binomial_filter(in_channels), persistent=False)

    def forward(
        self,
        input: Float[Tensor, "batch channels height width"],  # noqa: A002 - the name in nn.Conv2d
    ) -> Float[Tensor, "batch {self.out_channels} out_height out_width"]:
        padded = functional.pad(input, (1, 1, 1, 1), mode="reflect")
        blurred = functional.conv2d(padded, self.filter.to(input.dtype), groups=self.in_channels)
        return super().forward(blurred)


def halving_conv(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    stride: int,
    groups: int = 1,
    bias: bool,
    blur: BlurPlacement,
) -> nn.Conv2d:
    """The convolution of a block that may halve the resolution; what blurs after it is ``halving_activation``.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: side of the receptive field.
        stride: 1 leaves the resolution, and the convolution an ordinary one.
        groups: of the convolution.
        bias: whether it has one.
        blur: where the blur goes.
    """
    own_stride = choose("blur_pool", blur, {"none": stride, "before": stride, "after": 1})
    if blur == "before" and stride > 1:
        return BlurredConv2d(in_channels, out_channels, kernel_size, stride, groups, bias)
    return conv(in_channels, out_channels, kernel_size, stride=own_stride, groups=groups, bias=bias)


def halving_activation(
    activation: Activation, channels: int, *, stride: int, blur: BlurPlacement
) -> nn.Module:
    """The activation behind ``halving_conv``'s norm, followed by blur and skip where these come after.

    Args:
        activation: the nonlinearity.
        channels: of the convolution's output.
        stride: of the block.
        blur: where the blur goes.
    """
    if blur != "after" or stride == 1:
        return make_activation(activation)
    return nn.Sequential(make_activation(activation), BlurPool(channels, stride))
