"""ImageNet-1k (Russakovsky et al. 2014, arXiv:1409.0575), as folders of image files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from torchvision.models import ResNet18_Weights

from resnet_zoo.data import normalization
from resnet_zoo.data.augment import BatchAugmentation
from resnet_zoo.data.augmentations import Augmentation
from resnet_zoo.data.base import ImageDataModule
from resnet_zoo.data.checks import check_not_negative
from resnet_zoo.data.crops import Interpolation
from resnet_zoo.data.layout import SEE, ImageRoot, open_root, quoted, require_splits
from resnet_zoo.data.normalization import Channels, Normalization
from resnet_zoo.data.pipelines import TrainingCrop, evaluation_transform, training_transform
from resnet_zoo.data.progressive_resizing import ProgressiveResizing
from resnet_zoo.data.sources import FileImages
from resnet_zoo.data.transforms import CenterCrop
from resnet_zoo.errors import InvalidValue

NUM_CLASSES = 1000
SYNSET = re.compile(r"n\d{8}")
# Where some synsets stand among the thousand, to tell ImageNet-1k from another choice of a thousand synsets.
KNOWN_POSITIONS = {"n01440764": 0, "n02102040": 217, "n03000684": 491, "n03417042": 569, "n03888257": 701}


class ImageNet(ImageDataModule):
    """ImageNet-1k: a 'train' and a 'val' folder with a thousand class folders each, named by synset
    (n01440764, ...).

    Training takes a random crop of every image, evaluation the central one after resizing the shorter side;
    the validation split is also what 'fit' reports at the end, the test labels not being public.

    Args:
        root: folder with 'train' and 'val' inside; or what 'resnet-zoo data pack' made of one, in a folder or at an
            address such as s3://bucket/imagenet-256.
        global_batch_size: images per optimizer update, over all ranks and accumulated batches.
        image_size: height and width of the crops, in pixels.
        augmentation: the random crop of training. 'random_resized_crop' takes a random area and aspect ratio
            (Szegedy et al. 2014), 'scale_jitter' resizes the shorter side to a random length and takes a
            square, as the ResNet paper.
        jitter_range: shortest and longest shorter side for 'scale_jitter'; by default [256, 480] for 224
            pixels and in proportion for others. VGG takes [256, 512].
        color_noise: standard deviation of the colour noise of Krizhevsky et al. 2012, which the ResNet paper
            uses with 0.1.
        eval_resize: shorter side before the central crop; by default 256 for 224 pixels and in proportion for
            others.
        interpolation: of the resizing in training and evaluation, 'bilinear' or 'bicubic'; with antialiasing.
        num_workers: loader processes per rank; by default a rank's share of the cores, at most 16.
        eval_batch_size: images per rank and batch in evaluation; by default as many as a training batch has.
        seed: of order and augmentation; by default the run's seed.
        drop_last: leave out the shorter last update of an epoch.
        augment: further random changes of training images, in order: names such as RandAugment or MixUp, or class
            paths with arguments; see docs/augmentation.md.
        repeated_augmentation: times that each image is taken, augmented anew, within one pass over the data; the
            number of updates per epoch stays the same.
        progressive_resizing: train on images of a size that grows with the epochs up to image_size; see
            docs/recipes.md.
        mean: channel means in 0..1, instead of ImageNet's usual ones; together with std.
        std: channel standard deviations in 0..1, instead of ImageNet's usual ones; together with mean.
        predict_root: folder of images for 'predict'; by default it predicts the validation split.
        bad_image_budget: how many training images that cannot be read a run may leave out, each named once;
            the next one ends it. In evaluation they are always left out, listed and counted.

    Raises:
        MissingData: no such folder, or no images in it.
        InvalidValue: a value that is not allowed, or folders that are not those of ImageNet-1k.
    """

    def __init__(
        self,
        *,
        root: str = "data/imagenet",
        global_batch_size: int = 256,
        image_size: int = 224,
        augmentation: TrainingCrop = "random_resized_crop",
        jitter_range: tuple[int, int] | None = None,
        color_noise: float = 0.0,
        eval_resize: int | None = None,
        interpolation: Interpolation = "bilinear",
        num_workers: int | None = None,
        eval_batch_size: int | None = None,
        seed: int | None = None,
        drop_last: bool = False,
        augment: list[Augmentation] | None = None,
        repeated_augmentation: int = 1,
        progressive_resizing: ProgressiveResizing | None = None,
        mean: Channels | None = None,
        std: Channels | None = None,
        predict_root: str | None = None,
        bad_image_budget: int = 0,
    ) -> None:
        super().__init__(
            global_batch_size=global_batch_size,
            num_workers=num_workers,
            eval_batch_size=eval_batch_size,
            seed=seed,
            drop_last=drop_last,
            augment=augment,
            repeated_augmentation=repeated_augmentation,
            progressive_resizing=progressive_resizing,
            mean=mean,
            std=std,
            predict_root=predict_root,
            bad_image_budget=bad_image_budget,
        )
        self._train_transform = training_transform(image_size, augmentation, jitter_range, interpolation)
        self._eval_transform = evaluation_transform(image_size, eval_resize, interpolation)
        check_not_negative("color_noise", color_noise)
        self.root, self._opened = root, open_root("ImageNet", root)
        self.image_size = image_size
        self.augmentation = BatchAugmentation(flip=True, color_noise=color_noise)
        self.synsets = _find_synsets(self._opened)
        self._splits = {name: self._opened.open_split(name, self.synsets) for name in ("train", "val")}
        self.num_samples = {name: len(split.index) for name, split in self._splits.items()}
        self.check_train_size()

    @property
    def num_classes(self) -> int:
        """A thousand."""
        return len(self.synsets)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """English names, as torchvision spells them; the synsets themselves if they are not ImageNet-1k's."""
        names: Sequence[str] = ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
        if any(self.synsets[position] != synset for synset, position in KNOWN_POSITIONS.items()):
            return self.synsets
        return tuple(names)

    def load_split(self, name: str) -> FileImages:
        """The files of a split, with the crop that belongs to it."""
        split = self._splits[name]
        transform = self._train_transform if name == "train" else self._eval_transform
        return FileImages(split.index, transform, split.store)

    def own_normalization(self) -> Normalization:
        """ImageNet's usual means and standard deviations."""
        return normalization.IMAGENET

    def evaluation_transform(self) -> CenterCrop:
        """Resize the shorter side, then the central crop."""
        return self._eval_transform

    def origin(self) -> dict[str, Any]:
        """Hashes of the file lists; of packed images that are not their files, how they were encoded."""
        hashes = {name: split.index.fingerprint() for name, split in self._splits.items()}
        return {"files_sha256": hashes, **self._opened.origin()}


def _find_synsets(root: ImageRoot) -> tuple[str, ...]:
    """The class folders of both splits, which must be the same thousand synsets."""
    require_splits("ImageNet", root, ("train", "val"))
    synsets = root.class_names("train")
    root.class_names("val")
    train = str(Path(root.path) / "train")
    if len(synsets) != NUM_CLASSES:
        raise InvalidValue(
            f"ImageNet folder {train!r} has {len(synsets):,} class folders, not {NUM_CLASSES:,}. A subset such as "
            f"Imagenette, or any other data set, is an ImageFolder with the same root. {SEE}"
        )
    if others := [name for name in synsets if not SYNSET.fullmatch(name)]:
        raise InvalidValue(
            f"ImageNet folder {train!r} has class folders that are not named like synsets (n01440764): "
            f"{quoted(others)}. If it is another data set, use ImageFolder with the same root. {SEE}"
        )
    root.require_same_classes("train", synsets, "val")
    return tuple(synsets)
