"""Wide residual networks for ImageNet (Zagoruyko & Komodakis 2016, arXiv:1605.07146, section 3.4).

ResNet-50 and -101 whose narrow layers inside the bottlenecks have twice the channels; the blocks' outputs stay as wide
as they were. These are the nets of those names in torchvision.
"""

from resnet_zoo.backbones.base import preset
from resnet_zoo.backbones.bottleneck import bottleneck_resnet
from resnet_zoo.registry import register_backbone

SUMMARY = (
    "ResNet of bottleneck blocks, wide inside, for ImageNet (Zagoruyko & Komodakis 2016, arXiv:1605.07146)."
)

wide_resnet50_2 = register_backbone(
    preset(
        bottleneck_resnet,
        __name__,
        "wide_resnet50_2",
        SUMMARY,
        depths=(3, 4, 6, 3),
        groups=1,
        group_width=128,
    )
)
wide_resnet101_2 = register_backbone(
    preset(
        bottleneck_resnet,
        __name__,
        "wide_resnet101_2",
        SUMMARY,
        depths=(3, 4, 23, 3),
        groups=1,
        group_width=128,
    )
)
