import math

import pytest
import torch
from torch import nn

from resnet_zoo.analysis import gate_statistics
from resnet_zoo.model import create_model


def images() -> torch.Tensor:
    return torch.randn(32, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("carry_bias", [-1.0, -4.0])
@pytest.mark.parametrize("name", ["highway_mlp", "highway_cifar"])
def test_gates_start_near_the_sigmoid_of_their_bias(name: str, carry_bias: float) -> None:
    torch.manual_seed(0)
    size = {"image_size": 8} if name == "highway_mlp" else {}
    model = create_model(name, num_classes=10, depth=12, width=8, carry_bias=carry_bias, **size)
    statistics = gate_statistics(model, [images()])
    assert len(statistics) == (11 if name == "highway_mlp" else 7)
    for gate in statistics:
        assert gate.sigmoid_of_bias == pytest.approx(1 / (1 + math.exp(-carry_bias)))
        assert gate.mean == pytest.approx(gate.sigmoid_of_bias, abs=0.1)


def test_closed_and_open_gates_are_counted() -> None:
    model = create_model("highway_mlp", num_classes=10, depth=3, width=4, image_size=8)
    gates = [module for name, module in model.named_modules() if name.endswith("transform_gate")]
    for gate, bias in zip(gates, (-9.0, 9.0), strict=True):
        nn.init.zeros_(gate[0].weight)
        nn.init.constant_(gate[0].bias, bias)
    closed, opened = gate_statistics(model, images().split(5))
    assert (closed.share_closed, closed.share_open) == (1, 0)
    assert (opened.share_closed, opened.share_open) == (0, 1)
    assert closed.std == pytest.approx(0, abs=1e-6)
    assert opened.mean == pytest.approx(1 / (1 + math.exp(-9)))


def test_a_network_without_gates_has_no_statistics() -> None:
    assert gate_statistics(create_model("resnet_cifar", num_classes=10, depth=8), [images()]) == []
