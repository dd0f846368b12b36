"""What holds for every registered backbone of the project."""

from __future__ import annotations

import copy
import fnmatch
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from resnet_zoo.backbones import golden
from resnet_zoo.model import create_backbone

# What makes a network cheap to run without changing its structure; the sizes themselves are in test_golden.py.
SMALLER: dict[str, dict[str, Any]] = {
    "vgg*": {"hidden_features": 24, "pool_size": 1},
    "*_cifar": {"width": 4},
    "*_mlp": {"image_size": 8},
}
IMAGE_SIZES = {"vgg*": 32, "*_cifar": 8, "*_mlp": 8}
LARGE = (
    "resnet1202_cifar",
    "preact_resnet1001_cifar",
    "wide_resnet101_2",
    "resnext101_32x8d",
    "resnet152",
    "wide_resnet50_2",
    "resnet101",
)
NAMES = [
    pytest.param(record["name"], marks=[pytest.mark.slow] if record["name"] in LARGE else [])
    for record in golden.read()
]

ONE_OF_EACH = {
    record["module"]: record["name"] for record in reversed(golden.read()) if record["parameters"] < 20e6
}.values()  # the first of each file


def matching(table: dict[str, Any], name: str, otherwise: Any) -> Any:
    return next((value for pattern, value in table.items() if fnmatch.fnmatch(name, pattern)), otherwise)


def make(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return create_backbone(name, **matching(SMALLER, name, {}))


def images_for(name: str, batch: int = 2) -> Tensor:
    size = matching(IMAGE_SIZES, name, 32)
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))


def assert_close(features: Tensor, expected: Tensor) -> None:
    """Equal but for rounding, which deep nets enlarge."""
    assert (features - expected).abs().max() <= 1e-2 * expected.abs().max()


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def backbone(name: str) -> nn.Module:
    net = make(name)
    # The sums of the residual nets grow from block to block until their norms have seen data. The plain nets are
    # left as they start: normalised, the deepest ones turn rounding errors into other features altogether.
    if not name.startswith("plain"):
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None
        with torch.no_grad():
            net.train()(images_for(name, batch=4))
    return net.eval()


def test_features_are_finite_and_every_parameter_learns(name: str, backbone: nn.Module) -> None:
    backbone.train()
    features = backbone(images_for(name))
    assert features.shape == (2, backbone.num_features)
    assert features.dtype == torch.float32
    assert features.isfinite().all()
    features.square().sum().backward()
    without = [key for key, parameter in backbone.named_parameters() if parameter.grad is None]
    assert without == []
    assert all(parameter.grad.isfinite().all() for parameter in backbone.parameters())
    backbone.zero_grad()
    backbone.eval()


def test_top_level_children_have_the_papers_words(name: str, backbone: nn.Module) -> None:
    children = dict(backbone.named_children())
    assert "stages" in children
    assert ("stem" in children) is not name.startswith("vgg")
    assert all(isinstance(stage, nn.Sequential) for stage in backbone.get_submodule("stages").children())


@torch.no_grad()
def test_evaluation_is_deterministic_and_independent_across_the_batch(name: str, backbone: nn.Module) -> None:
    images = images_for(name)
    features = backbone(images)
    assert torch.equal(features, backbone(images))
    alone = torch.cat([backbone(image[None]) for image in images])
    assert_close(features, alone)


@torch.no_grad()
def test_state_dict_round_trip(name: str, backbone: nn.Module) -> None:
    other = make(name, seed=7).eval()
    other.load_state_dict(copy.deepcopy(backbone.state_dict()), strict=True)
    images = images_for(name)
    assert torch.equal(backbone(images), other(images))


@torch.no_grad()
def test_pickle_round_trip(name: str, backbone: nn.Module) -> None:
    other = pickle.loads(pickle.dumps(backbone))
    images = images_for(name)
    assert torch.equal(backbone(images), other(images))
    assert other.built_by == {"name": name, "arguments": matching(SMALLER, name, {})}


@torch.no_grad()
def test_bfloat16(name: str, backbone: nn.Module) -> None:
    half = copy.deepcopy(backbone).to(torch.bfloat16)
    features = half(images_for(name, batch=1).to(torch.bfloat16))
    assert features.dtype == torch.bfloat16
    assert features.isfinite().all()


@torch.no_grad()
def test_channels_last(name: str, backbone: nn.Module) -> None:
    images = images_for(name)
    other = copy.deepcopy(backbone).to(memory_format=torch.channels_last)
    features = other(images.contiguous(memory_format=torch.channels_last))
    assert_close(features, backbone(images))


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_autocast(name: str) -> None:
    backbone = make(name).train()
    with torch.autocast("cpu", torch.bfloat16):
        features = backbone(images_for(name))
    features.float().sum().backward()
    assert features.isfinite().all()


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_compiles_in_one_piece(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = make(name).eval()
    for module in {type(module) for module in backbone.modules()}:
        if hasattr(
            module.forward, "__wrapped__"
        ):  # without the checks of shapes, which are no part of the package
            monkeypatch.setattr(module, "forward", module.forward.__wrapped__)
    images = images_for(name)
    compiled = torch.compile(backbone, backend="eager", fullgraph=True)
    assert_close(compiled(images), backbone(images))
