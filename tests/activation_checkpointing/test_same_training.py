"""Computing activations again changes no number of a training: not a gradient, a running statistic or a mask."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from resnet_zoo.activation_checkpointing import ActivationCheckpointing, checkpoint_activations
from resnet_zoo.activation_checkpointing.forward import CheckpointedForward
from resnet_zoo.callbacks.sync_batch_norm import SyncBatchNormEverywhere
from resnet_zoo.cli.timing.job import Job
from resnet_zoo.cli.timing.tensor_memory import history_of_step
from resnet_zoo.cli.timing.training_step import TrainingStep
from resnet_zoo.errors import InvalidValue
from resnet_zoo.model import create_backbone
from tests.small_nets import convolutional

# One of each way to build a net, with what is random in it.
NETS: dict[str, tuple[int, dict[str, Any]]] = {
    "resnet_cifar": (8, {"depth": 20, "width": 4, "drop_path": 0.5}),
    "preact_bottleneck_cifar": (8, {"depth": 29, "width": 4, "drop_path": 0.5}),
    "plain20_cifar": (8, {"width": 4}),
    "highway19_cifar": (8, {"width": 4, "dropout": 0.3}),
    "plain_highway19_cifar": (8, {"width": 4, "dropout": 0.3, "norm": "batch"}),
    "highway_mlp": (8, {"image_size": 8, "depth": 12, "norm": "batch"}),
    "resnet18": (32, {"stem": "deep", "shortcut": "D", "blur_pool": "after", "drop_path": 0.2}),
    "resnet50": (32, {"zero_init_residual": True}),
    "vgg11_bn": (32, {"hidden_features": 24, "pool_size": 1}),
}

State = dict[str, Tensor]


def _trained(net: nn.Module, size: int, around: Callable[[], Any] = torch.enable_grad) -> tuple[State, State]:
    """Gradients of two accumulated batches, and what two forward passes leave in the buffers."""
    torch.manual_seed(3)
    net.train()
    for _ in range(2):
        images = torch.randn(4, 3, size, size)
        with around():
            features = net(images)
        (features.float() * torch.randn(features.shape)).sum().backward()
    gradients = {
        name: parameter.grad for name, parameter in net.named_parameters() if parameter.grad is not None
    }
    state = dict(net.named_buffers()) | {"generator": torch.get_rng_state(), "features": features.detach()}
    return gradients, state


def _assert_same(first: tuple[State, State], second: tuple[State, State]) -> None:
    for ours, theirs in zip(first, second, strict=True):
        assert ours.keys() == theirs.keys()
        different = [name for name, value in ours.items() if not torch.equal(value, theirs[name])]
        assert different == []


@pytest.mark.parametrize("name", NETS)
def test_every_family_trains_as_without(name: str) -> None:
    size, arguments = NETS[name]
    torch.manual_seed(0)
    plain = create_backbone(name, **arguments)
    net = copy.deepcopy(plain)
    checkpoint_activations(net, "all")
    assert list(net.state_dict()) == list(plain.state_dict())
    _assert_same(_trained(plain, size), _trained(net, size))


@pytest.mark.parametrize("chosen", [["layers"], "all"])
@pytest.mark.parametrize("momentum", [0.1, None])
def test_a_net_of_one_s_own_trains_as_without(
    chosen: ActivationCheckpointing, momentum: float | None
) -> None:
    plain = convolutional(dropout=0.4)
    for module in plain.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = momentum
    net = copy.deepcopy(plain)
    checkpoint_activations(net, chosen)
    _assert_same(_trained(plain, 8), _trained(net, 8))


def test_autocast_is_the_same_in_the_second_computation() -> None:
    def around() -> Any:
        return torch.autocast("cpu", torch.bfloat16)

    plain = create_backbone("resnet_cifar", depth=14, width=4)
    net = copy.deepcopy(plain)
    checkpoint_activations(net, ["stages.1", "stem"])
    _assert_same(_trained(plain, 8, around), _trained(net, 8, around))


class _Normalised(nn.Module):
    """Buffers of several kinds: moved by kernels, by Python, replaced, constant, and read by the forward pass."""

    num_features = 6

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 6, 3)),
            nn.InstanceNorm2d(6, affine=True, track_running_stats=True),
            nn.ReLU(),
            nn.BatchNorm2d(6),
        )
        self.counted = _Counted()

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.counted(self.body(images)).mean((2, 3))
        return features


class _Counted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.BatchNorm2d(6)
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("constant", torch.full((), 2.0))

    def forward(self, maps: Tensor) -> Tensor:
        self.calls = self.calls + 1
        result: Tensor = self.inner(maps) * self.calls * self.constant
        return result


def test_other_buffers_are_read_as_they_were_and_move_once() -> None:
    plain = _Normalised()
    plain.counted.inner.eval()
    net = copy.deepcopy(plain)
    checkpoint_activations(net, "all")
    first, second = _trained(plain, 6), _trained(net, 6)
    _assert_same(first, second)
    assert second[1]["counted.calls"] == 2
    assert second[1]["body.3.num_batches_tracked"] == 2


def test_synchronised_batch_norm_is_found_where_it_takes_another_s_place() -> None:
    plain = convolutional()
    net = copy.deepcopy(plain)
    checkpoint_activations(net, "all")
    for each in (plain, net):
        SyncBatchNormEverywhere(on_cpu=lambda: True).apply(each)
    _assert_same(_trained(plain, 8), _trained(net, 8))
    torch_s_own = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(net))
    assert isinstance(torch_s_own.layers[1], nn.SyncBatchNorm)
    part = torch_s_own.layers.forward
    assert isinstance(part, CheckpointedForward)
    assert part.part.get_submodule("1") is torch_s_own.layers[1]


def test_evaluation_keeps_nothing_and_computes_once() -> None:
    net = convolutional()
    checkpoint_activations(net, "all")
    calls: list[int] = []
    net.layers[0].register_forward_hook(lambda *_: calls.append(1))
    net.eval()(torch.randn(2, 3, 8, 8)).sum().backward()
    assert len(calls) == 1
    net.train()(torch.randn(2, 3, 8, 8)).sum().backward()
    assert len(calls) == 3


def test_an_input_that_is_written_into_is_an_error() -> None:
    class Rude(nn.Module):
        def forward(self, maps: Tensor) -> Tensor:
            return maps.add_(1)

    net = nn.Sequential(nn.Conv2d(3, 3, 1), Rude())
    checkpoint_activations(net, ["1"])
    with pytest.raises(InvalidValue, match="Rude writes into its input"):
        net(torch.randn(1, 3, 2, 2))


def test_activations_of_a_deep_net_take_a_fraction_of_the_memory() -> None:
    arguments = {"depth": 110, "width": 4}

    def peak(chosen: ActivationCheckpointing) -> int:
        job = Job("resnet_cifar", 16, 10, 16, "32-true", "cpu", arguments, activation_checkpointing=chosen)
        return max(history_of_step(TrainingStep(job)))

    none, blocks, everything = peak("none"), peak(["stages.0"]), peak("all")
    assert everything < none / 3
    assert everything < blocks < none


@pytest.mark.slow
def test_a_compiled_net_trains_as_without_and_counts_batches_once() -> None:
    plain = create_backbone("resnet_cifar", depth=14, width=4)
    checkpointed = copy.deepcopy(plain)
    checkpoint_activations(checkpointed, "all")
    torch._dynamo.reset()
    outcomes = []
    for net in (plain, checkpointed):
        net.compile(backend="aot_eager", fullgraph=True)
        outcomes.append(_trained(net, 8))
    torch._dynamo.reset()
    (gradients, state), (gradients_again, state_again) = outcomes
    for first, second in ((gradients, gradients_again), (state, state_again)):
        assert first.keys() == second.keys()
        for name, value in first.items():
            torch.testing.assert_close(value, second[name])
    assert state_again["stem.norm.num_batches_tracked"] == 2


class SharedActivation(nn.Module):
    """One activation that stands twice in a sequence."""

    num_features = 4

    def __init__(self) -> None:
        super().__init__()
        activation = nn.Tanh()
        self.part = nn.Sequential(
            nn.Conv2d(3, 4, 3), activation, nn.Conv2d(4, 4, 3), activation, nn.Conv2d(4, 4, 1), activation
        )

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.part(images).mean(dim=(2, 3))
        return features


def test_a_module_that_stands_twice_in_a_sequence_is_called_twice() -> None:
    torch.manual_seed(0)
    net = SharedActivation()
    twin = copy.deepcopy(net)
    checkpoint_activations(twin, "all")
    _assert_same(_trained(net, 8), _trained(twin, 8))
