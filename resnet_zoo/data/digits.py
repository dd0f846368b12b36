"""Handwritten digits: the embedded real data set, for trying everything in seconds without a download."""

from __future__ import annotations

from importlib import resources
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from resnet_zoo.data.augment import BatchAugmentation
from resnet_zoo.data.augmentations import Augmentation
from resnet_zoo.data.base import ImageDataModule
from resnet_zoo.data.checks import check_count, check_less_than, refuse_two_validations
from resnet_zoo.data.crops import resize
from resnet_zoo.data.normalization import Channels, Normalization, measure
from resnet_zoo.data.progressive_resizing import ProgressiveResizing
from resnet_zoo.data.sources import ResidentImages
from resnet_zoo.data.splits import stratified_split

FILE = "digits.npz"
NATIVE_SIZE, MAXIMUM_VALUE = 8, 16
TEST_SHARE, TEST_SEED = 0.2, 0  # fixed, so that everyone's test set is the same


class Digits(ImageDataModule):
    """scikit-learn's handwritten digits, inside the package: 1,797 grey images of 8x8 pixels, ten classes.

    The test part of the UCI "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998, CC BY
    4.0). A fixed fifth of every class is the test split (359 images, 1,438 are left for training). Pixels are
    scaled to 0..255 and repeated to three channels. Augmentation shifts by up to an eighth of the image;
    digits are not mirrored.

    Args:
        global_batch_size: images per optimizer update, over all ranks and accumulated batches.
        image_size: height and width in pixels; more than 8 enlarges bilinearly.
        val_size: images taken from the train split for validation, the same share of every class.
        validate_on_test: validate on the test split, which then chooses the checkpoint and is no longer a
            fair test.
        split_seed: of the choice of validation images.
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
        global_batch_size: int = 64,
        image_size: int = NATIVE_SIZE,
        val_size: int = 0,
        validate_on_test: bool = False,
        split_seed: int = 0,
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
        check_count("image_size", image_size, NATIVE_SIZE)
        check_count("val_size", val_size, 0)
        refuse_two_validations(val_size, validate_on_test)
        self.image_size = image_size
        self.split_seed = split_seed
        self.validate_on_test = validate_on_test
        self._pixels, self._labels = read_digits()
        train, test = stratified_split(self._labels, round(TEST_SHARE * len(self._labels)), TEST_SEED)
        check_less_than("val_size", val_size, len(train), "training images")
        rest, val = stratified_split(self._labels[train], val_size, split_seed)
        self._positions = {"train": train[rest], "val": train[val], "test": test}
        if validate_on_test:
            self._positions["val"] = test
        self.num_samples = {name: len(chosen) for name, chosen in self._positions.items() if len(chosen)}
        self.check_train_size()
        self.augmentation = BatchAugmentation(pad=max(1, image_size // NATIVE_SIZE))

    @property
    def class_names(self) -> tuple[str, ...]:
        """The ten digits."""
        return tuple(str(digit) for digit in range(10))

    def load_split(self, name: str) -> ResidentImages:
        """The images of a split, uint8 (n, image_size, image_size, 3)."""
        chosen = self._positions[name]
        pixels = torch.from_numpy(self._pixels[chosen].astype(np.int32))
        grey = ((pixels * 255 + MAXIMUM_VALUE // 2) // MAXIMUM_VALUE).to(torch.uint8)
        enlarged = resize(grey, self.image_size, self.image_size)  # the images as channels of one
        images = enlarged.unsqueeze(-1).expand(-1, -1, -1, 3)
        return ResidentImages(images, torch.from_numpy(self._labels[chosen].astype(np.int64)))

    def own_normalization(self) -> Normalization:
        """Of the training images."""
        return measure(self.load_split("train").images)

    def origin(self) -> dict[str, Any]:
        """The choice of validation images."""
        return {
            "image_size": self.image_size,
            "split_seed": self.split_seed,
            "validate_on_test": self.validate_on_test,
        }


def read_digits() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The embedded file: pixels uint8 (1797, 8, 8) in 0..16 and labels uint8 (1797,)."""
    with resources.files("resnet_zoo.data").joinpath(FILE).open("rb") as file, np.load(file) as arrays:
        return arrays["images"], arrays["labels"]
