"""Residual blocks and their shortcuts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import Tensor, nn

from resnet_zoo.backbones.bottleneck import BottleneckBlock
from resnet_zoo.backbones.plain import PlainBlock
from resnet_zoo.backbones.resnet import BasicBlock
from resnet_zoo.backbones.shortcuts import PaddedIdentity, make_shortcut
from resnet_zoo.errors import InvalidValue
from resnet_zoo.model import create_backbone


class Nothing(nn.Module):
    """A shortcut that is not there."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros(())


def in_use(block: nn.Module) -> nn.Module:
    """The block with norms that are not neutral."""
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
    return block


def test_option_a_subsamples_and_pads() -> None:
    x = torch.randn(2, 3, 8, 6)
    y = PaddedIdentity(2, 4)(x)
    assert y.shape == (2, 7, 4, 3)
    assert torch.equal(y[:, :3], x[:, :, ::2, ::2])
    assert not y[:, 3:].any()


def test_option_a_keeps_the_memory_format() -> None:
    x = torch.randn(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    assert PaddedIdentity(2, 3)(x).is_contiguous(memory_format=torch.channels_last)
    assert PaddedIdentity(2, 3)(x.contiguous()).is_contiguous()


@pytest.mark.parametrize(
    ("option", "same_shape", "other_shape"),
    [
        ("A", nn.Identity, PaddedIdentity),
        ("B", nn.Identity, nn.Sequential),
        ("C", nn.Sequential, nn.Sequential),
    ],
)
def test_options(option: str, same_shape: type, other_shape: type) -> None:
    assert isinstance(make_shortcut(option, 4, 4, 1, norm="batch"), same_shape)  # type: ignore[arg-type]
    assert isinstance(make_shortcut(option, 4, 8, 2, norm="batch"), other_shape)  # type: ignore[arg-type]
    assert isinstance(make_shortcut(option, 4, 8, 1, norm="batch"), other_shape)  # type: ignore[arg-type]


def test_an_unknown_option_lists_the_known() -> None:
    with pytest.raises(InvalidValue, match=r"shortcut='E' is not known\. Choose one of 'A', 'B', 'C', 'D'"):
        create_backbone("resnet20_cifar", shortcut="E")
    with pytest.raises(
        InvalidValue, match=r"stride_placement='first' is not known\. Choose one of '3x3', '1x1'"
    ):
        create_backbone("resnet50", stride_placement="first")


@torch.no_grad()
@pytest.mark.parametrize("stride", [1, 2])
def test_a_plain_block_is_the_residual_branch_alone(stride: int) -> None:
    residual = in_use(BasicBlock(4, 8, stride, shortcut="A"))
    plain = PlainBlock(4, 8, stride)
    plain.load_state_dict(residual.state_dict())
    residual.shortcut = Nothing()
    x = torch.randn(2, 4, 8, 8)
    for mode in (True, False):
        assert torch.equal(residual.train(mode)(x), plain.train(mode)(x))


@torch.no_grad()
def test_a_plain_net_is_the_residual_net_without_shortcuts() -> None:
    residual = create_backbone("resnet20_cifar")
    plain = create_backbone("plain20_cifar")
    plain.load_state_dict(residual.state_dict())
    for block in residual.modules():
        if isinstance(block, BasicBlock):
            block.shortcut = Nothing()
    images = torch.randn(2, 3, 16, 16)
    assert torch.equal(residual(images), plain(images))


@torch.no_grad()
@pytest.mark.parametrize("make", [BasicBlock, BottleneckBlock])
def test_zero_init_leaves_the_shortcut(make: Callable[..., nn.Module]) -> None:
    x = torch.randn(2, 8, 6, 6)
    block = make(8, 2 if make is BottleneckBlock else 8, shortcut="A", zero_init_residual=True)
    assert torch.equal(block(x), x.relu())


@pytest.mark.parametrize(("placement", "first", "middle"), [("3x3", 1, 2), ("1x1", 2, 1)])
def test_the_stride_is_where_it_is_asked_for(placement: str, first: int, middle: int) -> None:
    block = create_backbone("resnet50", stride_placement=placement).get_submodule("stages.1.0")
    assert block.conv1.stride == (first, first)
    assert block.conv2.stride == (middle, middle)
    assert block.shortcut.conv.stride == (2, 2)


def test_responses_before_the_addition_can_be_watched() -> None:
    net = create_backbone("resnet_cifar", depth=8, width=4)
    seen: dict[str, float] = {}
    for name, module in net.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_hook(
                lambda _module, _inputs, output, name=name: seen.__setitem__(name, output.std().item())
            )
    net(torch.randn(8, 3, 8, 8))
    assert len(seen) == 7  # one for each layer but the head
    assert all(response == pytest.approx(1, abs=0.05) for response in seen.values())


def test_shapes_are_checked_in_this_folder() -> None:
    with pytest.raises(TypeCheckError):
        create_backbone("resnet20_cifar")(torch.zeros(3, 32, 32))
    block = BasicBlock(4, 4)
    block.out_channels = 5
    with pytest.raises(TypeCheckError):
        block(torch.zeros(1, 4, 8, 8))
