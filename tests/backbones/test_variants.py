"""Deep stem, averaging shortcuts, blur pooling: what they compute, and that timm's nets compute the same."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from resnet_zoo.backbones.blur import BlurPool, binomial_filter, halving_activation, halving_conv
from resnet_zoo.backbones.bottleneck import BottleneckBlock
from resnet_zoo.backbones.resnet import BasicBlock
from resnet_zoo.backbones.shortcuts import make_shortcut
from resnet_zoo.errors import InvalidValue
from resnet_zoo.model import create_backbone

DEEP = {
    "layer1.conv": "conv1.0",
    "layer1.norm": "conv1.1",
    "layer2.conv": "conv1.3",
    "layer2.norm": "conv1.4",
}
DEEP |= {"layer3.conv": "conv1.6", "layer3.norm": "bn1"}


def timms_name(key: str) -> str:
    """Where timm keeps a tensor of ours."""
    part, _, rest = key.partition(".")
    if part == "stem":
        layer, _, tensor = rest.rpartition(".")
        return f"{DEEP[layer]}.{tensor}"
    key = re.sub(r"^stages\.(\d+)", lambda found: f"layer{int(found[1]) + 1}", key)
    key = key.replace("shortcut.conv", "downsample.1").replace("shortcut.norm", "downsample.2")
    return re.sub(r"\.norm(\d)", r".bn\1", key)


@torch.no_grad()
@pytest.mark.parametrize(
    ("theirs", "ours", "arguments"),
    [
        ("resnet50d", "resnet50", {}),
        ("resnet18d", "resnet18", {}),
        pytest.param("resnetblur50d", "resnet50", {"blur_pool": "after"}, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("size", [64, 72])
def test_timm_computes_the_same(theirs: str, ours: str, arguments: dict[str, Any], size: int) -> None:
    timm = pytest.importorskip("timm", reason="the comparison needs timm: pip install 'resnet-zoo[timm]'")
    torch.manual_seed(0)
    reference = timm.create_model(theirs, num_classes=0, zero_init_last=False).eval()
    backbone = create_backbone(ours, stem="deep", shortcut="D", **arguments).eval()
    theirs_by_name = reference.state_dict()
    backbone.load_state_dict({key: theirs_by_name[timms_name(key)] for key in backbone.state_dict()})
    assert len(theirs_by_name) == len(backbone.state_dict())
    images = torch.randn(2, 3, size, size)  # 72 pixels become odd on the way down
    torch.testing.assert_close(backbone(images), reference(images), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_option_d_averages_before_it_projects() -> None:
    shortcut = make_shortcut("D", 3, 5, 2, norm="none")
    x = torch.randn(2, 3, 6, 6)
    projected = functional.conv2d(
        functional.avg_pool2d(x, 2),
        shortcut.get_submodule("conv").weight,
        shortcut.get_submodule("conv").bias,
    )
    torch.testing.assert_close(shortcut(x), projected)
    assert isinstance(make_shortcut("D", 4, 4, 1, norm="batch"), nn.Identity)
    widening = make_shortcut("D", 4, 8, 1, norm="batch")
    assert [name for name, _ in widening.named_children()] == ["conv", "norm"]


def test_the_filter_keeps_the_mean_and_removes_the_highest_frequency() -> None:
    blur = BlurPool(2, stride=1)
    flat = torch.full((1, 2, 6, 6), 3.0)
    torch.testing.assert_close(blur(flat), flat)
    checkers = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(1, 2, 3, 3)
    assert blur(checkers).abs().max() < 1e-6
    assert binomial_filter(2).sum().item() == pytest.approx(2)


def blurred(x: Tensor, stride: int) -> Tensor:
    """The definition: every stride-th window of 3x3 pixels, weighted and summed."""
    windows = functional.pad(x, (1, 1, 1, 1), mode="reflect").unfold(2, 3, stride).unfold(3, 3, stride)
    line = torch.tensor([1.0, 2.0, 1.0]) / 4
    return (windows * (line[:, None] * line)).sum((-2, -1))


@torch.no_grad()
@pytest.mark.parametrize("size", [6, 7])
def test_the_two_placements(size: int) -> None:
    x = torch.randn(2, 4, size, size)
    torch.testing.assert_close(BlurPool(4, 2)(x), blurred(x, 2))
    before = halving_conv(4, 6, 3, stride=2, bias=False, blur="before")
    torch.testing.assert_close(
        before(x), functional.conv2d(blurred(x, 1), before.weight, stride=2, padding=1)
    )
    after = halving_conv(4, 6, 3, stride=2, bias=False, blur="after")
    assert after(x).shape[2:] == x.shape[2:]
    activation = halving_activation("relu", 6, stride=2, blur="after")
    dense = after(x)
    expected = blurred(dense.relu(), 2)
    torch.testing.assert_close(activation(dense), expected)


@pytest.mark.parametrize("placement", ["before", "after"])
@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_blur_adds_no_weights_and_is_only_where_pixels_are_skipped(name: str, placement: str) -> None:
    with torch.device("meta"):
        usual, other = create_backbone(name), create_backbone(name, blur_pool=placement)
    assert {key: tensor.shape for key, tensor in usual.state_dict().items()} == {
        key: tensor.shape for key, tensor in other.state_dict().items()
    }
    skipping = [
        key
        for key, module in other.named_modules()
        if isinstance(module, nn.Conv2d) and module.stride != (1, 1) and type(module) is nn.Conv2d
    ]
    assert skipping == ["stem.conv"], "the images themselves are not blurred"


@torch.no_grad()
@pytest.mark.parametrize("placement", ["before", "after"])
@pytest.mark.parametrize("block", [BasicBlock, BottleneckBlock])
@pytest.mark.parametrize("shortcut", ["A", "B", "C", "D"])
def test_every_combination_has_the_shape_of_a_block(block: Any, placement: str, shortcut: str) -> None:
    made = block(8, 8, 2, shortcut=shortcut, blur_pool=placement)
    assert made(torch.randn(2, 8, 9, 9)).shape == (2, made.out_channels, 5, 5)


def test_unknown_kinds_list_the_known() -> None:
    with pytest.raises(InvalidValue, match=r"stem='wide' is not known\. Choose one of '7x7', 'deep'"):
        create_backbone("resnet18", stem="wide")
    with pytest.raises(
        InvalidValue, match=r"blur_pool='zhang' is not known\. Choose one of 'none', 'before', 'after'"
    ):
        create_backbone("resnet18", blur_pool="zhang")
