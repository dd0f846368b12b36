"""Small data sets in the formats of the large ones, made by the tests themselves."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from resnet_zoo.data import CIFAR10, CIFAR100
from tests.data.pictures import encoded, picture

MakeFolder = Callable[..., Path]


@pytest.fixture(autouse=True)
def workers_may_take_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """When they are told to end; torch kills them after five seconds, which a busy machine may need."""
    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 60.0)


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Makes ``root/split/class/number.jpg``; a split named "" puts the classes directly into the root."""

    def make(
        splits: Sequence[str] = ("train", "val"),
        classes: Sequence[str] = ("cat", "dog", "owl"),
        per_class: int = 4,
        size: tuple[int, int] = (40, 48),
        root: str = "images",
    ) -> Path:
        seed = 0
        for split in splits:
            for class_name in classes:
                folder = tmp_path / root / split / class_name
                folder.mkdir(parents=True)
                for number in range(per_class):
                    (folder / f"{number:03}.jpg").write_bytes(encoded(picture(seed, *size), quality=95))
                    seed += 1
        return tmp_path / root

    return make


@pytest.fixture
def make_imagenet(tmp_path: Path) -> Callable[..., Path]:
    """A root with as many synset folders as wanted in each split, one small image in each."""

    def make(num_classes: int = 1000, first: int = 0) -> Path:
        content = encoded(picture(0))
        for split in ("train", "val"):
            for number in range(first, first + num_classes):
                folder = tmp_path / "imagenet" / split / f"n{number:08}"
                folder.mkdir(parents=True)
                (folder / "image.JPEG").write_bytes(content)
        return tmp_path / "imagenet"

    return make


def write_cifar(root: Path, classes: int, train: int, test: int, key: str) -> None:
    """CIFAR's own file format: pickled dictionaries with rows of 3072 bytes, channels first."""
    names = {10: [f"data_batch_{part}" for part in range(1, 6)], 100: ["train"]}[classes]
    folder = root / {10: "cifar-10-batches-py", 100: "cifar-100-python"}[classes]
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    counts = {name: train // len(names) for name in names} | {"test_batch" if classes == 10 else "test": test}
    for name, count in counts.items():
        rows = generator.integers(0, 256, (count, 3072), dtype=np.uint8)
        labels = [position % classes for position in range(count)]
        (folder / name).write_bytes(pickle.dumps({"data": rows, key: labels}))
    meta, names_key = {10: ("batches.meta", "label_names"), 100: ("meta", "fine_label_names")}[classes]
    (folder / meta).write_bytes(pickle.dumps({names_key: [f"name {number}" for number in range(classes)]}))


@pytest.fixture
def fake_cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """200 training and 50 test images in CIFAR-10's format, without checksums."""
    write_cifar(tmp_path, 10, 200, 50, "labels")
    forget_checksums(monkeypatch, CIFAR10, 200, 50)
    return tmp_path


@pytest.fixture
def fake_cifar100(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """400 training and 100 test images in CIFAR-100's format, without checksums."""
    write_cifar(tmp_path, 100, 400, 100, "fine_labels")
    forget_checksums(monkeypatch, CIFAR100, 400, 100)
    return tmp_path


def forget_checksums(monkeypatch: pytest.MonkeyPatch, data_set: type[CIFAR10], train: int, test: int) -> None:
    """Let a data set take files that are not the original ones."""
    files = data_set._files
    for attribute in ("train_list", "test_list"):
        monkeypatch.setattr(files, attribute, [(name, None) for name, _ in getattr(files, attribute)])
    monkeypatch.setattr(files, "meta", {**files.meta, "md5": None})
    monkeypatch.setattr(data_set, "_num_train", train)
    monkeypatch.setattr(data_set, "_num_test", test)
