"""Data sets: what a config names under ``data``, and the batches they give."""

from resnet_zoo.data.base import ImageDataModule
from resnet_zoo.data.batch import ImageBatch
from resnet_zoo.data.cifar import CIFAR10, CIFAR100
from resnet_zoo.data.decode import UnreadableImage
from resnet_zoo.data.digits import Digits
from resnet_zoo.data.folder import ImageFolder
from resnet_zoo.data.imagenet import ImageNet
from resnet_zoo.data.synthetic import Synthetic
from resnet_zoo.data.workers import WorkerFailure

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "Digits",
    "ImageBatch",
    "ImageDataModule",
    "ImageFolder",
    "ImageNet",
    "Synthetic",
    "UnreadableImage",
    "WorkerFailure",
]
