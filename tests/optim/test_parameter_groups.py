"""Every parameter lands in exactly one group, by the type of its module."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from resnet_zoo.optim import is_norm_layer, split_parameters


def names(module: nn.Module, decay_norm_and_bias: bool = False) -> tuple[list[str], list[str]]:
    """Decayed and undecayed names."""
    groups = split_parameters(module, decay_norm_and_bias)
    undecayed = [name for group in groups if group.get("weight_decay") == 0.0 for name in group["names"]]
    decayed = [name for group in groups if "weight_decay" not in group for name in group["names"]]
    return decayed, undecayed


@pytest.mark.parametrize("decay_norm_and_bias", [True, False])
@pytest.mark.parametrize("build", [torchvision.models.resnet18, torchvision.models.vgg11_bn])
def test_no_parameter_is_missed_or_there_twice(build: object, decay_norm_and_bias: bool) -> None:
    assert callable(build)
    with torch.device("meta"):
        model = build()
    groups = split_parameters(model, decay_norm_and_bias)
    listed = [name for group in groups for name in group["names"]]
    assert sorted(listed) == sorted(name for name, _ in model.named_parameters())
    by_name = dict(model.named_parameters())
    for group in groups:
        assert [id(p) for p in group["params"]] == [id(by_name[name]) for name in group["names"]]


def test_norms_without_norm_in_their_name_and_every_bias_are_exempt() -> None:
    decayed, undecayed = names(torchvision.models.resnet18())
    assert {"layer2.0.downsample.1.weight", "layer2.0.downsample.1.bias", "bn1.weight", "fc.bias"} <= set(
        undecayed
    )
    assert {"layer2.0.downsample.0.weight", "conv1.weight", "fc.weight"} <= set(decayed)
    assert all(name.endswith("weight") for name in decayed)


def test_with_decay_for_all_there_is_one_group_that_leaves_the_decay_to_the_optimizer() -> None:
    [group] = split_parameters(torchvision.models.resnet18(), decay_norm_and_bias=True)
    assert set(group) == {"params", "names"}


class RootMeanSquareNorm2d(nn.Module):
    """A norm of somebody else's, known by its name alone."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))


@pytest.mark.parametrize(
    "layer",
    [
        nn.BatchNorm1d(4),
        nn.BatchNorm2d(4),
        nn.BatchNorm3d(4),
        nn.SyncBatchNorm(4),
        nn.InstanceNorm2d(4, affine=True),
        nn.GroupNorm(2, 4),
        nn.LayerNorm(4),
        nn.RMSNorm(4),
        torchvision.models.convnext.LayerNorm2d(4),
        RootMeanSquareNorm2d(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_every_kind_of_norm_is_exempt(layer: nn.Module) -> None:
    assert is_norm_layer(layer)
    decayed, undecayed = names(nn.Sequential(nn.Linear(4, 4, bias=False), layer))
    assert decayed == ["0.weight"]
    assert undecayed == [f"1.{name}" for name, _ in layer.named_parameters()]


def test_biases_within_a_name_are_biases() -> None:
    decayed, undecayed = names(nn.MultiheadAttention(4, 2, add_bias_kv=True))
    assert undecayed == ["in_proj_bias", "bias_k", "bias_v", "out_proj.bias"]
    assert decayed == ["in_proj_weight", "out_proj.weight"]


def test_a_shared_parameter_is_listed_once() -> None:
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    decayed, _ = names(nn.Sequential(first, second))
    assert decayed == ["0.weight"]


def test_a_group_without_parameters_is_left_out() -> None:
    groups = split_parameters(nn.Linear(4, 4, bias=False), decay_norm_and_bias=False)
    assert [group["names"] for group in groups] == [["weight"]]


def test_an_optimizer_decays_only_the_first_group() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    optimizer = torch.optim.SGD(split_parameters(model, False), lr=1.0, weight_decay=0.5)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer.step()
    changed = {name for name, parameter in model.named_parameters() if not parameter.equal(before[name])}
    assert changed == {"0.weight"}
