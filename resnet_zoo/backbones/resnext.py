"""ResNeXt for ImageNet (Xie et al. 2016, "Aggregated Residual Transformations", arXiv:1611.05431, table 1).

Bottleneck ResNets whose 3x3 convolutions work in groups: 32 groups of 4 channels (in the first stage) for the net of
50 layers, 32 groups of 8 for the one of 101. These are the nets of those names in torchvision.
"""

from resnet_zoo.backbones.base import preset
from resnet_zoo.backbones.bottleneck import bottleneck_resnet
from resnet_zoo.registry import register_backbone

SUMMARY = (
    "ResNeXt for ImageNet, bottleneck blocks with 3x3 layers in groups (Xie et al. 2016, arXiv:1611.05431)."
)

resnext50_32x4d = register_backbone(
    preset(
        bottleneck_resnet, __name__, "resnext50_32x4d", SUMMARY, depths=(3, 4, 6, 3), groups=32, group_width=4
    )
)
resnext101_32x8d = register_backbone(
    preset(
        bottleneck_resnet,
        __name__,
        "resnext101_32x8d",
        SUMMARY,
        depths=(3, 4, 23, 3),
        groups=32,
        group_width=8,
    )
)
