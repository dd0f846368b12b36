"""Gates: closed they carry, open they transform, and they start as far open as the bias says."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from resnet_zoo.backbones.highway import HighwayBlock, carry_bias_for, start_gates
from resnet_zoo.errors import InvalidValue
from resnet_zoo.model import create_backbone

SIZE = 8
NETS = {"highway19_cifar": {}, "highway32_cifar": {}, "highway_mlp": {"image_size": SIZE}}
TWINS = {
    "highway19_cifar": "plain_highway19_cifar",
    "highway32_cifar": "plain_highway32_cifar",
    "highway_mlp": "plain_mlp",
}
WIDTH = 8


def make(name: str, **arguments: object) -> nn.Module:
    size = {"image_size": SIZE} if name.endswith("mlp") else {}
    return create_backbone(name, width=WIDTH, **size, **arguments).eval()


def blocks(net: nn.Module) -> list[HighwayBlock]:
    return [block for block in net.modules() if isinstance(block, HighwayBlock)]


@pytest.fixture
def images() -> Tensor:
    return torch.randn(4, 3, SIZE, SIZE)


@torch.no_grad()
@pytest.mark.parametrize("name", TWINS)
def test_closed_gates_carry_the_input_unchanged(name: str, images: Tensor) -> None:
    net = make(name, carry_bias=-1e4)
    for block in blocks(net):
        channels = block.transform_gate.get_parameter("0.weight").shape[1]
        x = torch.randn(2, channels) if name.endswith("mlp") else torch.randn(2, channels, 4, 4)
        assert torch.equal(block(x), x)
    carried = net.get_submodule("stem")(images)
    assert torch.equal(net.get_submodule("stages.0")(carried), carried)


@torch.no_grad()
@pytest.mark.parametrize("name", TWINS)
def test_open_gates_make_the_plain_twin(name: str, images: Tensor) -> None:
    net, twin = make(name, carry_bias=1e4), make(TWINS[name])
    weights = {
        key.replace(".transform.", "."): value
        for key, value in net.state_dict().items()
        if "_gate" not in key
    }
    twin.load_state_dict(weights)
    assert torch.equal(net(images), twin(images))
    assert blocks(twin) == []


@torch.no_grad()
@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("carry_bias", [-1.0, -3.0])
def test_gates_start_at_the_sigmoid_of_the_bias(name: str, carry_bias: float) -> None:
    net = make(name, carry_bias=carry_bias)
    means: list[float] = []
    for block in blocks(net):
        block.transform_gate.register_forward_hook(
            lambda _module, _inputs, gate: means.append(gate.mean().item())
        )
    net(torch.zeros(2, 3, SIZE, SIZE))
    expected = torch.tensor(carry_bias).sigmoid().item()
    assert len(means) == len(blocks(net)) > 0
    assert means == pytest.approx([expected] * len(means), rel=1e-5)


def test_the_gate_mixes() -> None:
    block = HighwayBlock(nn.Sequential(nn.Linear(3, 3), nn.Tanh()), nn.Linear(3, 3))
    x = torch.randn(5, 3)
    gate = torch.sigmoid(x @ block.transform_gate[0].weight.T + block.transform_gate[0].bias)
    torch.testing.assert_close(block(x), block.transform(x) * gate + x * (1 - gate))


def test_the_default_bias_follows_the_depth() -> None:
    # Section 2.2: -1, -2, -3 for about 10, 20, 30 layers; the search of section 3.1 ended at -10.
    assert [carry_bias_for(depth) for depth in (2, 10, 19, 32, 50, 100, 1000)] == [
        -1,
        -1,
        -2,
        -3,
        -5,
        -10,
        -10,
    ]
    for name, bias in (("highway19_cifar", -2.0), ("highway32_cifar", -3.0), ("highway_mlp", -1.0)):
        assert {
            b.item() for block in blocks(make(name)) for b in block.transform_gate.get_parameter("0.bias")
        } == {bias}


def test_gates_can_be_started_again() -> None:
    net = make("highway19_cifar")
    start_gates(net, -7.0)
    assert all((block.transform_gate.get_parameter("0.bias") == -7).all() for block in blocks(net))


@pytest.mark.parametrize("depth", [8, 9, 10, 19, 50])
def test_any_depth_from_eight(depth: int) -> None:
    net = create_backbone("highway_cifar", depth=depth, width=2)
    layers = [
        name
        for name, module in net.named_modules()
        if isinstance(module, nn.Conv2d) and "transform_gate" not in name
    ]
    assert len(layers) + 1 == depth
    assert all(
        any(isinstance(block, HighwayBlock) for block in stage)
        for stage in net.get_submodule("stages").children()
    )


def test_too_few_layers_are_refused() -> None:
    with pytest.raises(InvalidValue, match=r"depth=7 is too small.*smallest depth is 8"):
        create_backbone("highway_cifar", depth=7)
    with pytest.raises(InvalidValue, match=r"dropout=1\.0 must be a probability"):
        create_backbone("highway19_cifar", dropout=1.0)


def test_receptive_fields_alternate() -> None:
    net = create_backbone("highway32_cifar", width=2)
    kernels = [block.transform[0].kernel_size[0] for block in blocks(net)]
    assert kernels == 3 * [1, 3, 1, 3, 1, 3, 1, 3, 1]


def test_the_plain_twin_takes_no_bias() -> None:
    with pytest.raises(InvalidValue, match="'plain_highway19_cifar' has no argument 'carry_bias'"):
        create_backbone("plain_highway19_cifar", carry_bias=-2.0)


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("name", ["highway_mlp", "plain_mlp"])
def test_fully_connected_combinations(name: str, activation: str, norm: str) -> None:
    net = make(name, depth=4, activation=activation, norm=norm, in_channels=1).train()
    net(torch.randn(3, 1, SIZE, SIZE)).sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_fully_connected_nets_know_their_images() -> None:
    net = make("highway_mlp")
    with pytest.raises(
        InvalidValue, match=r"built for images of 3x8x8.*given 1x9x9.*in_channels=1, image_size=9"
    ):
        net(torch.zeros(2, 1, 9, 9))
