"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images"), the
original files.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torchvision import datasets
from torchvision.datasets.utils import check_integrity

from resnet_zoo.data import normalization
from resnet_zoo.data.augment import BatchAugmentation
from resnet_zoo.data.augmentations import Augmentation
from resnet_zoo.data.base import ImageDataModule
from resnet_zoo.data.checks import check_count, check_less_than, refuse_two_validations
from resnet_zoo.data.layout import SEE
from resnet_zoo.data.normalization import Channels, Normalization
from resnet_zoo.data.progressive_resizing import ProgressiveResizing
from resnet_zoo.data.sources import ResidentImages
from resnet_zoo.data.splits import stratified_split
from resnet_zoo.errors import MissingData

PAD = 4  # He et al. 2015, arXiv:1512.03385, section 4.2


class CIFAR10(ImageDataModule):
    """CIFAR-10: 50,000 training and 10,000 test images of 32x32 pixels in ten classes, held in memory.

    Augmentation as in He et al. 2015 (arXiv:1512.03385, section 4.2): 4 pixels of zeros on every side, a
    random 32x32 crop, a random flip. Normalised by channel (the paper subtracts a mean per pixel).

    Args:
        root: folder that holds, or gets, the original files in 'cifar-10-batches-py', as torchvision lays
            them out.
        download: fetch the files if they are absent (170 MB), checked by hash.
        global_batch_size: images per optimizer update, over all ranks and accumulated batches.
        val_size: images taken from the train split for validation, the same share of every class; the paper
            takes 5,000. By default there is no validation split.
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
        progressive_resizing: train on images of a size that grows with the epochs up to their own; see
            docs/recipes.md.
        mean: channel means in 0..1, instead of the data set's own; together with std.
        std: channel standard deviations in 0..1, instead of the data set's own; together with mean.
        predict_root: folder of images for 'predict'; by default it predicts the test split.

    Raises:
        MissingData: the files are absent and not to be downloaded, or not the original ones.
        InvalidValue: a value that is not allowed.
    """

    _files: ClassVar[type[datasets.CIFAR10]] = datasets.CIFAR10
    _num_train: ClassVar[int] = 50_000
    _num_test: ClassVar[int] = 10_000
    _num_classes: ClassVar[int] = 10
    _own_normalization: ClassVar[Normalization] = normalization.CIFAR10

    def __init__(
        self,
        *,
        root: str = "data",
        download: bool = False,
        global_batch_size: int = 128,
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
        check_count("val_size", val_size, 0)
        check_less_than("val_size", val_size, self._num_train, "training images")
        refuse_two_validations(val_size, validate_on_test)
        self.root = root
        self.download = download
        self.val_size = val_size
        self.validate_on_test = validate_on_test
        self.split_seed = split_seed
        self.image_size = 32
        self.augmentation = BatchAugmentation(pad=PAD, flip=True)
        self.num_samples = {"train": self._num_train - val_size, "test": self._num_test}
        if val_size or validate_on_test:
            self.num_samples["val"] = val_size or self._num_test
        self.check_train_size()
        if not download:
            self._require_files()

    @property
    def num_classes(self) -> int:
        """Number of classes; known before the files are there."""
        return self._num_classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, from the data set's own file."""
        self._require_files()
        meta = self._files.meta
        path = self._folder / meta["filename"]
        if not check_integrity(str(path), meta["md5"]):
            raise self._damaged()
        names: list[str] = pickle.loads(path.read_bytes(), encoding="latin1")[meta["key"]]
        return tuple(names)

    def prepare_data(self) -> None:
        """Download the files if asked to and absent; Lightning calls this once per machine."""
        if not self.download or not self._absent_files():
            return
        try:
            self._files(self.root, download=True)
        except (OSError, RuntimeError) as error:
            raise MissingData(
                f"{type(self).__name__} could not be downloaded to {self.root!r}: {error}. {SEE}"
            ) from error

    def load_split(self, name: str) -> ResidentImages:
        """The images of a split, uint8 (n, 32, 32, 3)."""
        if name == "val" and self.validate_on_test:
            name = "test"
        self._require_files()
        try:
            files = self._files(self.root, train=name != "test")
        except RuntimeError as error:
            raise self._damaged() from error
        images, labels = files.data, np.asarray(files.targets, dtype=np.int64)
        if name != "test":
            train, val = stratified_split(labels, self.val_size, self.split_seed)
            chosen = train if name == "train" else val
            images, labels = images[chosen], labels[chosen]
        return ResidentImages(torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(labels))

    def own_normalization(self) -> Normalization:
        """Of the original training images."""
        return self._own_normalization

    def origin(self) -> dict[str, Any]:
        """Hash of the original archive, which the files are checked against, and the choice of validation
        images.
        """
        return {
            "archive_md5": self._files.tgz_md5,
            "split_seed": self.split_seed,
            "validate_on_test": self.validate_on_test,
        }

    @property
    def _folder(self) -> Path:
        return Path(self.root, self._files.base_folder)

    def _absent_files(self) -> list[str]:
        names = [name for name, _ in (*self._files.train_list, *self._files.test_list)]
        return [
            name for name in (*names, self._files.meta["filename"]) if not (self._folder / name).is_file()
        ]

    def _require_files(self) -> None:
        if absent := self._absent_files():
            raise MissingData(
                f"{type(self).__name__} was not found: there is no {absent[0]!r} in {str(self._folder)!r} "
                f"(looked in {str(self._folder.resolve())!r}). Set download to true to fetch it, or root to the "
                f"folder that has {self._files.base_folder!r} inside. {SEE}"
            )

    def _damaged(self) -> MissingData:
        return MissingData(
            f"{type(self).__name__} in {str(self._folder)!r} is damaged or not the original: a checksum differs. "
            f"Delete the folder and set download to true. {SEE}"
        )


class CIFAR100(CIFAR10):
    """CIFAR-100: 50,000 training and 10,000 test images of 32x32 pixels in a hundred classes, held in memory.

    All arguments are those of CIFAR10; the files are in 'cifar-100-python'.
    """

    _files = datasets.CIFAR100
    _num_classes = 100
    _own_normalization = normalization.CIFAR100
