"""Random images that a network can learn, of any size and number: for smoke runs and for measuring speed
without storage.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from resnet_zoo.data import random
from resnet_zoo.data.augment import BatchAugmentation
from resnet_zoo.data.augmentations import Augmentation
from resnet_zoo.data.base import ImageDataModule
from resnet_zoo.data.checks import check_count
from resnet_zoo.data.normalization import Channels, Normalization, measure
from resnet_zoo.data.progressive_resizing import ProgressiveResizing
from resnet_zoo.data.sources import ResidentImages

GRID = 4  # a class is a pattern of GRID x GRID coloured fields, under noise
LARGEST_SHIFTED = 64  # larger images are only flipped, as those of ImageNet are
SPLITS = ("train", "val", "test")


class Synthetic(ImageDataModule):
    """Seeded random images: every class has a pattern of coloured fields, every image its own noise on top of
    it.

    The images are the same on every machine. They are held in memory, at most num_distinct of them per split;
    a split with more samples repeats them, so that a million large images cost no more than a thousand.

    Args:
        image_size: height and width in pixels.
        num_classes: number of classes, which take turns.
        num_train: images of the train split.
        num_val: images of the validation split; 0 for none.
        num_test: images of the test split; 0 for none.
        num_distinct: different images per split at most.
        data_seed: of the images themselves.
        global_batch_size: images per optimizer update, over all ranks and accumulated batches.
        num_workers: loader processes per rank; the default is none, the images being in memory.
        eval_batch_size: images per rank and batch in evaluation; by default as many as a training batch has.
        seed: of order and augmentation; by default the run's seed.
        drop_last: leave out the shorter last update of an epoch.
        augment: further random changes of training images, in order: names such as RandAugment or MixUp, or class
            paths with arguments; see docs/augmentation.md.
        repeated_augmentation: times that each image is taken, augmented anew, within one pass over the data; the
            number of updates per epoch stays the same.
        progressive_resizing: train on images of a size that grows with the epochs up to image_size; see
            docs/recipes.md.
        mean: channel means in 0..1, instead of the training images' own; together with std.
        std: channel standard deviations in 0..1, instead of the training images' own; together with mean.
        predict_root: folder of images for 'predict'; by default it predicts the test split.

    Raises:
        InvalidValue: a value that is not allowed.
    """

    def __init__(
        self,
        *,
        image_size: int = 32,
        num_classes: int = 10,
        num_train: int = 1024,
        num_val: int = 256,
        num_test: int = 256,
        num_distinct: int = 1024,
        data_seed: int = 0,
        global_batch_size: int = 64,
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
        )
        check_count("image_size", image_size)
        check_count("num_classes", num_classes)
        check_count("num_train", num_train)
        check_count("num_val", num_val, 0)
        check_count("num_test", num_test, 0)
        check_count("num_distinct", num_distinct)
        self.image_size = image_size
        self.num_distinct = num_distinct
        self.data_seed = data_seed
        self._num_classes = num_classes
        counts = dict(zip(SPLITS, (num_train, num_val, num_test), strict=True))
        self.num_samples = {name: count for name, count in counts.items() if count}
        self.check_train_size()
        pad = image_size // 8 if image_size <= LARGEST_SHIFTED else 0
        self.augmentation = BatchAugmentation(pad=pad, flip=True)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Numbered."""
        return tuple(f"class {label}" for label in range(self._num_classes))

    def load_split(self, name: str) -> ResidentImages:
        """The images of a split, uint8 (k, image_size, image_size, 3) for k different ones, and a label per
        sample.
        """
        num_samples = self.num_samples[name]
        num_images = min(num_samples, self.num_distinct)
        size = self.image_size
        fields = torch.arange(size) * GRID // size
        patterns = _bytes((self._num_classes, GRID, GRID, 3), self.data_seed)[:, fields][:, :, fields]
        images = torch.empty(num_images, size, size, 3, dtype=torch.uint8)
        for index in range(num_images):
            noise = _bytes((size, size, 3), self.data_seed, 1 + SPLITS.index(name), index)
            images[index] = (noise >> 1) + (patterns[index % self._num_classes] >> 1)
        labels = torch.arange(num_samples) % num_images % self._num_classes
        return ResidentImages(images, labels)

    def own_normalization(self) -> Normalization:
        """Of the training images."""
        images = self.source("train")
        assert isinstance(images, ResidentImages)
        return measure(images.images)

    def origin(self) -> dict[str, Any]:
        """What the images are made from."""
        return {"image_size": self.image_size, "num_distinct": self.num_distinct, "data_seed": self.data_seed}


def _bytes(shape: tuple[int, ...], *seeds: int) -> Tensor:
    """Uniform uint8 of a shape, that depend on the seeds alone."""
    count = torch.Size(shape).numel()
    return random.combine(*seeds, torch.arange(-(-count // 8))).view(torch.uint8)[:count].view(shape)
