"""The CIFAR families: depth rule, arguments, small images."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from resnet_zoo.backbones.cifar import blocks_per_stage
from resnet_zoo.errors import InvalidValue
from resnet_zoo.model import create_backbone

FAMILIES = {
    "resnet_cifar": 8,
    "plain_cifar": 8,
    "preact_resnet_cifar": 8,
    "preact_bottleneck_cifar": 11,
    "highway_cifar": 8,
    "plain_highway_cifar": 8,
}
SMALLEST_RULES = {"resnet_cifar": 6, "plain_cifar": 6, "preact_resnet_cifar": 6, "preact_bottleneck_cifar": 9}


def test_the_depth_rule() -> None:
    assert [blocks_per_stage(depth) for depth in (8, 20, 56, 110, 1202)] == [1, 3, 9, 18, 200]
    assert [blocks_per_stage(depth, 3) for depth in (11, 164, 1001)] == [1, 18, 111]


@pytest.mark.parametrize("name", SMALLEST_RULES)
def test_a_wrong_depth_names_the_nearest(name: str) -> None:
    layers = SMALLEST_RULES[name]
    with pytest.raises(
        InvalidValue, match=rf"depth=22 is not {layers}n \+ 2.*nearest valid depths are 20 and \d+"
    ):
        create_backbone(name, depth=22)
    with pytest.raises(InvalidValue, match=f"nearest valid depth is {layers + 2}"):
        create_backbone(name, depth=2)


def test_a_named_depth_is_that_depth() -> None:
    with pytest.raises(InvalidValue, match="'resnet20_cifar' has no argument 'depth'"):
        create_backbone("resnet20_cifar", depth=56)
    named = create_backbone("resnet32_cifar").state_dict()
    general = create_backbone("resnet_cifar", depth=32).state_dict()
    assert {key: tensor.shape for key, tensor in named.items()} == {
        key: t.shape for key, t in general.items()
    }


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(
    ("activation", "norm", "initialization"),
    list(product(("relu", "tanh", "sigmoid"), ("batch", "none"), ("he", "xavier", "lecun", "torch"))),
)
def test_every_combination_trains(name: str, activation: str, norm: str, initialization: str) -> None:
    net = create_backbone(
        name,
        depth=FAMILIES[name],
        width=4,
        activation=activation,
        norm=norm,
        initialization=initialization,
        in_channels=1,
    )
    features = net(torch.randn(2, 1, 8, 8))
    features.square().sum().backward()
    assert features.isfinite().all()
    assert all(parameter.grad is not None for parameter in net.parameters())
    assert any(type(module).__name__.lower().startswith(activation) for module in net.modules())
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in net.modules()) is (norm == "batch")


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("argument", ["width", "in_channels"])
def test_counts_must_be_positive(name: str, argument: str) -> None:
    with pytest.raises(InvalidValue, match=f"{argument}=0 must be a whole number of at least 1"):
        create_backbone(name, **{argument: 0})


@pytest.mark.parametrize("name", ["resnet_cifar", "resnet18", "resnet50"])
def test_zero_init_needs_a_norm(name: str) -> None:
    with pytest.raises(InvalidValue, match=r"zero_init_residual=True .* needs norm='batch'"):
        create_backbone(name, zero_init_residual=True, norm="none")
