"""Nets small enough for tests of the training around them."""

from __future__ import annotations

from torch import Tensor, nn


class SmallNet(nn.Module):
    """Two convolutions and dropout; images (b, 3, h, w) to features (b, 12)."""

    num_features = 12

    def __init__(self, norm: bool, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8) if norm else nn.Identity(), nn.ReLU(),
            nn.Conv2d(8, 12, 3, stride=2), nn.BatchNorm2d(12) if norm else nn.Identity(), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.layers(images)
        return features


def convolutional(*, norm: bool = True, dropout: float = 0.0) -> SmallNet:
    """A net that trains in milliseconds."""
    return SmallNet(norm, dropout)
