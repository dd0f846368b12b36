"""Squeeze-and-excitation networks for small images (Hu et al. 2018, arXiv:1709.01507, section 3 and figure 3)."""

from torch import Tensor, nn

from resnet_zoo import register_backbone


class Excitation(nn.Module):
    """Scales each channel by a gate computed from the means of all channels."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        narrow = max(channels // reduction, 1)
        self.squeeze = nn.Linear(channels, narrow)
        self.excite = nn.Linear(narrow, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps (b, channels, h, w) -> the same shape."""
        gates = self.excite(self.squeeze(x.mean((2, 3))).relu()).sigmoid()
        return x * gates[:, :, None, None]


class ExcitedBlock(nn.Module):
    """A residual block whose branch ends with an excitation."""

    def __init__(self, in_channels: int, channels: int, stride: int, reduction: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            Excitation(channels, reduction),
        )
        self.shortcut = nn.Conv2d(in_channels, channels, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps (b, in_channels, h, w) -> (b, channels, h / stride, w / stride)."""
        return (self.shortcut(x) + self.branch(x)).relu()


class ExcitedNet(nn.Module):
    """A stem, three stages of excited blocks, the mean over the image."""

    def __init__(self, width: int, depth: int, reduction: int, in_channels: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.stages = nn.Sequential()
        channels = width
        for stage_width, stride in ((width, 1), (2 * width, 2), (4 * width, 2)):
            stage = nn.Sequential()
            for position in range(depth):
                stage.append(ExcitedBlock(channels, stage_width, stride if position == 0 else 1, reduction))
                channels = stage_width
            self.stages.append(stage)
        self.num_features = channels
        self.input_size = 32

    def forward(self, images: Tensor) -> Tensor:
        """Images (b, in_channels, h, w) -> features (b, num_features)."""
        return self.stages(self.stem(images)).mean((2, 3))


@register_backbone
def se_net(*, width: int = 16, depth: int = 2, reduction: int = 4, in_channels: int = 3) -> ExcitedNet:
    """Squeeze-and-excitation net for small images (Hu et al. 2018, arXiv:1709.01507).

    Args:
        width: channels of the first stage; the second has twice, the third four times as many.
        depth: blocks in each stage.
        reduction: how many channels share one unit of the excitation's middle layer.
        in_channels: channels of the images.
    """
    return ExcitedNet(width, depth, reduction, in_channels)
