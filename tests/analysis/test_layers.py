import pytest

from resnet_zoo.analysis import weighted_layers
from resnet_zoo.analysis.layers import part_of
from resnet_zoo.model import create_model


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("backbone.stages.0.0.conv1", "main"),
        ("backbone.stages.1.0.shortcut.conv", "shortcut"),
        ("layer2.0.downsample.0", "shortcut"),
        ("backbone.stages.0.0.transform_gate.0", "gate"),
        ("backbone.stages.0.0.transform.conv", "main"),
        ("head", "head"),
        ("backbone.head_of_state", "main"),
    ],
)
def test_parts(name: str, part: str) -> None:
    assert part_of(name) == part


def test_a_net_of_a_depth_has_that_many_layers() -> None:
    for name in ("resnet_cifar", "plain_cifar"):
        layers = weighted_layers(create_model(name, num_classes=10, depth=20, width=4))
        assert len([layer for layer in layers if layer.part in ("main", "head")]) == 20
        assert {layer.kernel_size for layer in layers if layer.part == "main"} == {3}
