"""VGG on images of other sizes than the paper's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from resnet_zoo.complexity import count_parameters
from resnet_zoo.errors import InvalidValue
from resnet_zoo.model import create_backbone


def test_a_net_for_small_images_is_mostly_convolutions() -> None:
    with torch.device("meta"):
        net = create_backbone("vgg16", pool_size=1, hidden_features=512)
    assert net.num_features == 512
    hidden = count_parameters(net.get_submodule("hidden"))
    assert hidden == 2 * (512 * 512 + 512)
    assert hidden < 0.04 * count_parameters(net)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 32)])
def test_any_size_from_32(size: tuple[int, int]) -> None:
    net = create_backbone("vgg11", hidden_features=8, pool_size=2, in_channels=1)
    assert net(torch.zeros(1, 1, *size)).shape == (1, 8)


def test_smaller_images_are_refused() -> None:
    net = create_backbone("vgg11_bn", hidden_features=8, pool_size=1)
    with pytest.raises(InvalidValue, match="at least 32x32 pixels, not 32x28"):
        net(torch.zeros(2, 3, 32, 28))


def test_hidden_layers_drop_half_by_default() -> None:
    with torch.device("meta"):
        dropouts = [m.p for m in create_backbone("vgg11").modules() if isinstance(m, nn.Dropout)]
        assert dropouts == [0.5, 0.5]
        assert create_backbone("vgg11", dropout=0.1).hidden[2].p == 0.1
    with pytest.raises(InvalidValue, match="dropout=-1 must be a probability"):
        create_backbone("vgg11", dropout=-1)
    with pytest.raises(InvalidValue, match="pool_size=0 must be a whole number"):
        create_backbone("vgg11", pool_size=0)
