"""torchvision's networks and ours compute the same, forwards and backwards, and share their weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

from resnet_zoo.errors import InvalidValue
from resnet_zoo.model import ImageModel, create_model
from resnet_zoo.weights import from_torchvision, to_torchvision
from resnet_zoo.weights.torchvision import COUNTERPARTS

FAST = ("resnet18", "resnet34", "resnet50", "resnext50_32x4d", "vgg11_bn")
NAMES = [pytest.param(name, marks=[] if name in FAST else [pytest.mark.slow]) for name in COUNTERPARTS]
NUM_CLASSES = 7


def in_use(net: nn.Module) -> nn.Module:
    """The network with norms as after some training, so that every tensor matters."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            module.num_batches_tracked.fill_(3)
    return net


def pair(name: str, **arguments: Any) -> tuple[nn.Module, ImageModel]:
    torch.manual_seed(0)
    theirs = in_use(getattr(torchvision.models, name)(num_classes=NUM_CLASSES))
    ours = create_model(name, NUM_CLASSES, **arguments)
    from_torchvision(theirs.state_dict(), ours)
    return theirs, ours


def run(net: nn.Module, images: Tensor, train: bool) -> Tensor:
    """Logits, with the gradient of a loss left on the parameters; units are dropped alike in both networks."""
    net.train(train).zero_grad()
    torch.manual_seed(1)
    logits: Tensor = net(images)
    nn.functional.cross_entropy(logits, torch.arange(len(images)) % NUM_CLASSES).backward()
    return logits


@pytest.mark.parametrize("name", NAMES)
def test_outputs_and_gradients_are_equal(name: str) -> None:
    theirs, ours = pair(name)
    images = torch.randn(2, 3, 32, 32)
    names = to_torchvision(ours).keys()
    for train in (False, True):
        assert torch.equal(run(theirs, images, train), run(ours, images, train))
        gradients = {key: parameter.grad for key, parameter in theirs.named_parameters()}
        for key, parameter in zip((key for key in names if key in gradients), ours.parameters(), strict=True):
            assert torch.equal(parameter.grad, gradients[key]), key
    # Training has moved the running statistics of both alike.
    for (key, tensor), (other_key, other) in zip(
        theirs.state_dict().items(), to_torchvision(ours).items(), strict=True
    ):
        assert key == other_key
        assert torch.equal(tensor, other)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", pytest.param("vgg11_bn", marks=pytest.mark.slow)])
def test_round_trip_is_bit_identical(name: str) -> None:
    theirs, ours = pair(name)
    exported = to_torchvision(ours)
    assert list(exported) == list(theirs.state_dict())
    for key, tensor in theirs.state_dict().items():
        assert exported[key].dtype == tensor.dtype
        assert torch.equal(exported[key], tensor)
    fresh = getattr(torchvision.models, name)(num_classes=NUM_CLASSES)
    fresh.load_state_dict(exported, strict=True)


@pytest.mark.parametrize("name", COUNTERPARTS)
def test_every_key_has_torchvisions_name_and_shape(name: str) -> None:
    with torch.device("meta"):
        theirs = getattr(torchvision.models, name)(num_classes=NUM_CLASSES).state_dict()
        ours = to_torchvision(create_model(name, NUM_CLASSES))
    assert {key: tensor.shape for key, tensor in ours.items()} == {
        key: tensor.shape for key, tensor in theirs.items()
    }
    assert list(ours) == list(theirs)


def test_files_without_batch_counters_fit() -> None:
    theirs = torchvision.models.resnet18(num_classes=NUM_CLASSES).state_dict()
    old = {key: tensor for key, tensor in theirs.items() if not key.endswith("num_batches_tracked")}
    model = create_model("resnet18", NUM_CLASSES)
    from_torchvision(old, model)
    assert torch.equal(model.head.weight, theirs["fc.weight"])


def test_arguments_that_do_not_change_the_function_are_allowed() -> None:
    pair("resnet18", zero_init_residual=True, initialization="torch", shortcut="B")


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("resnet20_cifar", {}, "torchvision has no counterpart of 'resnet20_cifar'. It has resnet18, "),
        ("resnet18", {"shortcut": "A"}, "built with shortcut='A', torchvision's corresponds to shortcut='B'"),
        ("resnet50", {"stride_placement": "1x1"}, "built with stride_placement='1x1'"),
        ("resnet18", {"activation": "tanh"}, "built with activation='tanh'"),
        ("vgg11", {"pool_size": 1, "hidden_features": 8}, "torchvision's 'vgg11' is not this one"),
    ],
)
def test_other_networks_are_refused(name: str, arguments: dict[str, Any], message: str) -> None:
    with torch.device("meta"):
        model = create_model(name, NUM_CLASSES, **arguments)
    with pytest.raises(InvalidValue) as refused:
        to_torchvision(model)
    assert message in str(refused.value)
    with pytest.raises(InvalidValue):
        from_torchvision({}, model)


def test_a_mismatch_lists_both_sides_and_changes_nothing() -> None:
    model = create_model("resnet18", NUM_CLASSES)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    weights = torchvision.models.resnet18(num_classes=NUM_CLASSES).state_dict()
    weights["layer9.conv.weight"] = weights.pop("layer1.0.conv1.weight")
    weights["bn1.weight"] = torch.zeros(3)
    with pytest.raises(InvalidValue) as refused:
        from_torchvision(weights, model)
    assert "the weights do not fit 'resnet18'" in str(refused.value)
    assert "1 missing from the weights: layer1.0.conv1.weight" in str(refused.value)
    assert "1 unknown to the model: layer9.conv.weight" in str(refused.value)
    assert "1 of another shape (weights, model): bn1.weight (3,) (64,)" in str(refused.value)
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


def test_long_lists_are_cut() -> None:
    with pytest.raises(InvalidValue, match=r"122 missing from the weights: conv1\.weight, .* and 117 more"):
        from_torchvision({"a.num_batches_tracked": torch.tensor(0)}, create_model("resnet18", NUM_CLASSES))


@pytest.mark.parametrize("name", ["resnet18", "vgg11_bn"])
def test_another_number_of_classes_is_named(name: str) -> None:
    with torch.device("meta"):
        weights = getattr(torchvision.models, name)().state_dict()
        model = create_model(name, 10)
    with pytest.raises(
        InvalidValue, match="weights are for 1000 classes; build the model with num_classes=1000"
    ):
        from_torchvision(weights, model)
