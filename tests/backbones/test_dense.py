"""Whole images: which backbones can see them, and that VGG's hidden layers are the same as convolutions."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from resnet_zoo import create_backbone
from resnet_zoo.backbones.dense import check_fully_convolutional, fully_convolutional
from resnet_zoo.errors import InvalidValue


def _vgg(pool_size: int = 2) -> nn.Module:
    torch.manual_seed(0)
    backbone = create_backbone("vgg11", pool_size=pool_size, hidden_features=16)
    with torch.no_grad():
        for layer in backbone.hidden:  # type: ignore[union-attr]
            if isinstance(layer, nn.Linear):
                layer.weight.normal_(std=layer.in_features**-0.5)
                layer.bias.normal_()
    return backbone.eval()


def test_vgg_is_the_same_net_where_its_hidden_layers_see_everything() -> None:
    backbone, images = _vgg(), torch.randn(2, 3, 64, 64)
    expected = backbone(images)
    with fully_convolutional(backbone):
        assert torch.allclose(backbone(images), expected, atol=1e-5)
    assert backbone.dense is False


def test_vgg_averages_its_hidden_layers_over_all_places() -> None:
    backbone, images = _vgg(), torch.randn(1, 3, 96, 128)
    maps = backbone.stages(images)  # type: ignore[operator]
    assert maps.shape[-2:] == (3, 4)
    places = [maps[..., top : top + 2, left : left + 2] for top in range(2) for left in range(3)]
    expected = torch.stack([backbone.hidden(place.flatten(1)) for place in places]).mean(0)  # type: ignore[operator]
    with fully_convolutional(backbone):
        assert torch.allclose(backbone(images), expected, atol=1e-5)
    assert not torch.allclose(backbone(images), expected, atol=1e-2)


@pytest.mark.parametrize(
    "name", ["resnet18", "plain18", "resnet20_cifar", "preact_resnet110_cifar", "highway19_cifar"]
)
def test_global_pooling_is_fully_convolutional(name: str) -> None:
    backbone = create_backbone(name)
    check_fully_convolutional(backbone, 32, 32)
    assert backbone.training


class PooledTo(nn.Module):
    """Averages any image to 2x2 positions, as VGG without its switch would."""

    num_features = 12

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.pool(images).flatten(1)  # type: ignore[no-any-return]


def test_others_are_refused_by_name() -> None:
    check_fully_convolutional(_vgg(), 64, 64)
    with pytest.raises(InvalidValue, match=r"backbone 'vgg11' .* would be another net as convolutions"):
        check_fully_convolutional(_vgg(pool_size=1), 64, 64)
    with pytest.raises(InvalidValue, match=r"'vgg11' .* shorter side is at least 64 pixels"):
        check_fully_convolutional(_vgg(), 64, 40)
    with pytest.raises(
        InvalidValue, match="backbone 'plain_mlp' cannot be tested on whole images: this fully connected"
    ):
        check_fully_convolutional(create_backbone("plain_mlp", image_size=8), 8, 8)
    with pytest.raises(InvalidValue, match=r"'PooledTo' .* averages the feature map to a fixed size"):
        check_fully_convolutional(PooledTo(), 8, 8)
