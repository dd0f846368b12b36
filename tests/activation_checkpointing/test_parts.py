"""Which parts of a net are computed again, how they are cut, and what is said about names that are none."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from resnet_zoo.activation_checkpointing import checkpoint_activations, checkpointable_parts
from resnet_zoo.activation_checkpointing.forward import is_layer, segments_of
from resnet_zoo.backbones import golden
from resnet_zoo.classifier import ImageClassifier
from resnet_zoo.errors import InvalidValue, UnknownName
from resnet_zoo.model import create_backbone


class Lists(nn.Module):
    """A net of one's own, whose blocks are in a list and called in a loop."""

    num_features = 4

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 1)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU()) for _ in range(3))
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, images: Tensor) -> Tensor:
        maps = self.first(images)
        for block in self.blocks:
            maps = block(maps)
        features: Tensor = self.pool(maps)
        return features


@pytest.mark.parametrize("name", [record["name"] for record in golden.read() if "1001" not in record["name"]])
def test_every_registered_net_has_its_stages_as_parts(name: str) -> None:
    with torch.device("meta"):
        net = create_backbone(name)
    stages = [f"stages.{number}" for number in range(len(net.get_submodule("stages")))]
    assert set(stages) <= checkpointable_parts(net).keys() <= {*stages, "stem", "last", "hidden"}


def test_lists_stand_for_what_is_in_them() -> None:
    assert list(checkpointable_parts(Lists())) == ["blocks.0", "blocks.1", "blocks.2"]
    net = Lists()
    checkpoint_activations(net, ["blocks"])
    assert all("forward" in vars(block) for block in net.blocks)
    assert "forward" not in vars(net.first)


@pytest.mark.parametrize("depth", [20, 110, 1202])
def test_a_stage_is_cut_into_as_many_segments_as_a_segment_has_layers(depth: int) -> None:
    with torch.device("meta"):
        stage = create_backbone("resnet_cifar", depth=depth).get_submodule("stages.1")
    segments = segments_of(stage)
    assert [name for names in segments for name in names] == [name for name, _ in stage.named_children()]
    per_block = sum(map(is_layer, stage.get_submodule("1").modules()))
    sizes = [len(names) for names in segments]
    assert max(sizes) - min(sizes) <= 1
    assert abs(len(segments) - per_block * sum(sizes) / len(segments)) <= per_block


def test_activations_in_place_stay_with_what_they_overwrite() -> None:
    features = nn.Sequential(
        *(layer for _ in range(8) for layer in (nn.Conv2d(4, 4, 1), nn.ReLU(inplace=True)))
    )
    for names in segments_of(features):
        assert isinstance(features.get_submodule(names[0]), nn.Conv2d)
    assert segments_of(nn.Conv2d(3, 3, 1)) == []


@pytest.mark.parametrize(
    ("chosen", "error", "said"),
    [
        (["stage.0"], UnknownName, "no module of ResNet named 'stage.0'.* Did you mean 'stages.0'"),
        (["layer1"], UnknownName, "Known: .*stages.2, stem.*=all takes stem, stages.0, stages.1, stages.2"),
        (["stages.0.9"], UnknownName, "Did you mean 'stages.0.0'"),
        ([""], UnknownName, "no module of ResNet named ''"),
        (["stages", "stages.1.0"], InvalidValue, "names 'stages.1' and 'stages.1.0', which lies within it"),
    ],
)
def test_names_are_checked_when_the_classifier_is_built(
    chosen: list[str], error: type[Exception], said: str
) -> None:
    backbone = create_backbone("resnet_cifar", depth=8, width=4)
    with pytest.raises(error, match=said):
        ImageClassifier(backbone, 10, activation_checkpointing=chosen)


def test_a_net_of_nothing_but_layers_has_no_parts() -> None:
    with pytest.raises(InvalidValue, match="finds no part in Sequential: all its children are single layers"):
        checkpoint_activations(nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()), "all")


def test_none_changes_nothing() -> None:
    net: Any = Lists()
    checkpoint_activations(net, "none")
    checkpoint_activations(net, [])
    assert not any("forward" in vars(module) for module in net.modules())
