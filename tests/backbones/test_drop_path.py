"""Stochastic depth: per image, unbiased, linear in depth, reproducible from torch's generator."""

from __future__ import annotations

import pytest
import torch

from resnet_zoo.backbones.base import Block
from resnet_zoo.backbones.drop_path import DropPath
from resnet_zoo.backbones.resnet import BasicBlock
from resnet_zoo.errors import InvalidValue
from resnet_zoo.model import create_backbone


def test_each_image_is_kept_and_scaled_up_or_left_out_as_a_whole() -> None:
    torch.manual_seed(0)
    x = torch.rand(2000, 3, 2, 2) + 1
    y = DropPath(0.25)(x)
    kept = y[:, 0, 0, 0] != 0
    torch.testing.assert_close(y[kept], x[kept] / 0.75)
    assert not y[~kept].any()
    # Five standard deviations of a share of 2,000 draws.
    assert kept.float().mean().item() == pytest.approx(0.75, abs=5 * (0.25 * 0.75 / 2000) ** 0.5)


def test_evaluation_keeps_everything() -> None:
    x = torch.randn(4, 3, 2, 2)
    assert torch.equal(DropPath(0.9).eval()(x), x)


def test_the_generator_decides() -> None:
    x = torch.ones(64, 1, 1, 1)
    draws = []
    for seed in (1, 1, 2):
        torch.default_generator.manual_seed(seed)
        draws.append(DropPath(0.5)(x))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize("name", ["resnet50", "resnet20_cifar", "preact_resnet_cifar"])
def test_probabilities_grow_linearly_from_nothing(name: str) -> None:
    with torch.device("meta"):
        backbone = create_backbone(name, drop_path=0.2)
    blocks = [module for module in backbone.modules() if isinstance(module, Block)]
    found = [getattr(block.drop_path, "probability", 0.0) for block in blocks]
    assert found == pytest.approx([0.2 * index / (len(blocks) - 1) for index in range(len(blocks))])


def test_it_has_timms_rates() -> None:
    timm = pytest.importorskip("timm", reason="the comparison needs timm: pip install 'resnet-zoo[timm]'")
    with torch.device("meta"):
        reference = timm.create_model("resnet50", drop_path_rate=0.05)
        backbone = create_backbone("resnet50", drop_path=0.05)
    theirs = [module.drop_prob for module in reference.modules() if type(module).__name__ == "DropPath"]
    ours = [module.probability for module in backbone.modules() if isinstance(module, DropPath)]
    assert ours == pytest.approx(theirs)


@torch.no_grad()
def test_a_dropped_branch_leaves_the_shortcut() -> None:
    torch.manual_seed(0)
    block = BasicBlock(4, 4, shortcut="A")
    block.drop_path = DropPath(0.5)
    x = torch.rand(16, 4, 6, 6)
    is_shortcut = [torch.equal(y, image) for y, image in zip(block(x), x, strict=True)]
    assert True in is_shortcut
    assert False in is_shortcut


@pytest.mark.parametrize("value", [-0.1, 1.0, 1.5])
def test_what_is_no_probability_is_refused(value: float) -> None:
    with pytest.raises(InvalidValue, match=r"drop_path=.* must be a probability from 0 to below 1"):
        create_backbone("resnet20_cifar", drop_path=value)
