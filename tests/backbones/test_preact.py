"""Pre-activation: nothing stands on the path of the shortcuts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from resnet_zoo.backbones.preact import PreactBasicBlock, PreactBottleneckBlock
from resnet_zoo.model import create_backbone


@torch.no_grad()
@pytest.mark.parametrize("name", ["preact_resnet_cifar", "preact_bottleneck_cifar"])
def test_a_stage_is_its_first_block_plus_all_residuals(name: str) -> None:
    depth = 2 + 9 * 2 if "bottleneck" in name else 2 + 6 * 3
    net = create_backbone(name, depth=depth, width=4).eval()
    images = torch.randn(2, 3, 8, 8)
    stage = net.get_submodule("stages.0")
    first, *others = stage.children()
    total = x = first(net.get_submodule("stem")(images))
    for block in others:
        residual = block(x) - x
        total, x = total + residual, block(x)
    torch.testing.assert_close(stage(net.get_submodule("stem")(images)), total)


@torch.no_grad()
@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("make", [PreactBasicBlock, PreactBottleneckBlock])
def test_the_input_survives(make: Callable[..., nn.Module], norm: str) -> None:
    block = make(8, 2 if make is PreactBottleneckBlock else 8, norm=norm, shortcut="A")
    x = torch.randn(2, 8, 6, 6)
    before = x.clone()
    block(x)
    assert torch.equal(x, before)


@torch.no_grad()
@pytest.mark.parametrize(
    ("first", "stride", "expected"), [(False, 1, lambda x: x), (True, 1, torch.relu), (False, 2, torch.relu)]
)
def test_where_the_paths_part(first: bool, stride: int, expected: Callable[[Tensor], Tensor]) -> None:
    block = PreactBasicBlock(4, 4, stride, first=first, shortcut="A", norm="none")
    seen: list[Tensor] = []
    block.shortcut.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0].clone()))
    x = torch.randn(2, 4, 6, 6)
    block(x)
    assert torch.equal(seen[0], expected(x))


def test_projections_are_bare() -> None:
    net = create_backbone("preact_resnet164_cifar")
    projections = [
        block for name, block in net.named_modules() if name.endswith("shortcut") and block._parameters
    ]
    assert [type(projection) for projection in projections] == [
        nn.Conv2d
    ] * 3  # 16 to 64 channels, then two halvings
    assert all(projection.bias is None for projection in projections)
