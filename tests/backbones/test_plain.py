"""What the paper argues with plain nets: a deeper one can always do what a shallower one does."""

from __future__ import annotations

import torch
from torch import nn

from resnet_zoo.backbones.plain import PlainBlock
from resnet_zoo.model import create_backbone


def make_identity(block: PlainBlock) -> None:
    for convolution, norm in ((block.conv1, block.norm1), (block.conv2, block.norm2)):
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        nn.init.dirac_(convolution.weight)
        nn.init.constant_(norm.weight, (1 + norm.eps) ** 0.5)


@torch.no_grad()
def test_inserted_identity_blocks_change_nothing() -> None:
    shallow = create_backbone("plain_cifar", depth=8, width=8)
    shallow(torch.randn(16, 3, 8, 8))  # so that the running statistics are not neutral
    deep = create_backbone("plain_cifar", depth=20, width=8)
    deep.load_state_dict(shallow.state_dict(), strict=False)
    for stage in deep.get_submodule("stages").children():
        for block in list(stage.children())[1:]:
            assert isinstance(block, PlainBlock)
            make_identity(block)
    images = torch.randn(4, 3, 8, 8)
    assert torch.equal(deep.eval()(images), shallow.eval()(images))
