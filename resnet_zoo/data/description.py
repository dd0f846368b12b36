"""What one may ask any data set: its splits, counts, classes, normalisation, and what identifies it."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resnet_zoo.data.layout import SEE
from resnet_zoo.data.normalization import Normalization
from resnet_zoo.data.scan import index_folder
from resnet_zoo.data.sources import FileImages, ImageSource
from resnet_zoo.data.transforms import CenterCrop
from resnet_zoo.errors import InvalidValue, MissingData


class DataDescription(ABC):
    """The part of a data set that knows what there is, without a trainer.

    Attributes:
        num_samples: images per split; the splits are "train" and, where there are any, "val" and "test".
        image_size: height and width of the images of a batch, in pixels.
        root: folder of the data set; empty if it has none.
        predict_root: folder of images to predict, if not a split.
    """

    num_samples: dict[str, int]
    image_size: int
    root: str = ""
    predict_root: str | None
    _normalization: Normalization | None
    _sources: dict[str, ImageSource]

    # What a data set says

    @property
    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """Readable name of every class, in the order of the labels."""

    @abstractmethod
    def load_split(self, name: str) -> ImageSource:
        """The images of a split; called once per split and process, after ``prepare_data``."""

    @abstractmethod
    def own_normalization(self) -> Normalization:
        """The normalisation that belongs to the data set."""

    def origin(self) -> dict[str, Any]:
        """What identifies the data beyond counts and class names, for ``fingerprint``: plain types."""
        return {}

    def evaluation_transform(self) -> CenterCrop:
        """How an image file of any size becomes an image of this data set."""
        return CenterCrop(self.image_size, self.image_size)

    # What everyone may ask

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def normalization(self) -> Normalization:
        """Channel means and standard deviations in use."""
        if self._normalization is None:
            self._normalization = self.own_normalization()
        return self._normalization

    def has_split(self, name: str) -> bool:
        """Whether there is such a split: "train", "val" or "test"."""
        return name in self.num_samples

    def test_split_name(self) -> str | None:
        """The split that a finished run is evaluated on: "test", or "val" where there is no other, or None."""
        return next((name for name in ("test", "val") if self.has_split(name)), None)

    def fingerprint(self) -> dict[str, Any]:
        """What the data are, as a plain dictionary for the record of a run: another one if the data are
        others.
        """
        names = "\n".join(self.class_names).encode()
        return {
            "class": type(self).__name__,
            "num_samples": dict(self.num_samples),
            "num_classes": self.num_classes,
            "class_names_sha256": hashlib.sha256(names).hexdigest(),
            **self.origin(),
        }

    def source(self, split: str) -> ImageSource:
        """The images of "train", "val", "test" or "predict", loaded at the first call.

        Raises:
            InvalidValue: there is no such split.
        """
        split = self.resolve(split)
        if split not in self._sources:
            self._sources[split] = self._load_predict_root() if split == "predict" else self.load_split(split)
        return self._sources[split]

    def resolve(self, split: str) -> str:
        """The split meant: without a folder of its own, "predict" is the split that a run is tested on."""
        if split == "predict" and self.predict_root is not None:
            return split
        name = self.test_split_name() if split == "predict" else split
        if name is None or not self.has_split(name):
            have = ", ".join(map(repr, self.num_samples))
            raise InvalidValue(
                f"{type(self).__name__} has no {split!r} split as configured. It has: {have}. {SEE}"
            )
        return name

    def sample_name(self, index: int, split: str = "predict") -> str:
        """Name of an image of a split: its path below the root, or split and position if it is no file of its
        own.
        """
        split = self.resolve(split)
        files = self.source(split).index
        if files is None:
            return f"{split}/{index}"
        return (
            files.name(index) if split == "predict" else str(Path(files.path(index)).relative_to(self.root))
        )

    def paths_of(self, indices: Sequence[int], split: str = "predict") -> list[str]:
        """Names of several images of a split, as ``sample_name`` gives them."""
        return [self.sample_name(index, split) for index in indices]

    def _load_predict_root(self) -> FileImages:
        assert self.predict_root is not None
        index = index_folder(self.predict_root)
        if not len(index):
            raise MissingData(f"predict_root {self.predict_root!r} has no images. {SEE}")
        return FileImages(index, self.evaluation_transform())
