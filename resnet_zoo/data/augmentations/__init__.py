"""What can stand in a data set's ``augment``: random changes of training images, each with its paper."""

from resnet_zoo.data.augmentations.base import (
    Augmentation,
    ImageAugmentation,
    Mixing,
    RegionAugmentation,
    Shares,
)
from resnet_zoo.data.augmentations.color import ColorJitter
from resnet_zoo.data.augmentations.mixing import CutMix, MixUp
from resnet_zoo.data.augmentations.plan import AugmentationPlan
from resnet_zoo.data.augmentations.policies import RandAugment, TrivialAugmentWide
from resnet_zoo.data.augmentations.regions import Cutout, RandomErasing

__all__ = [
    "Augmentation",
    "AugmentationPlan",
    "ColorJitter",
    "CutMix",
    "Cutout",
    "ImageAugmentation",
    "MixUp",
    "Mixing",
    "RandAugment",
    "RandomErasing",
    "RegionAugmentation",
    "Shares",
    "TrivialAugmentWide",
]
