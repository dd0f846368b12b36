"""CIFAR from its original file format; the files here are small imitations without checksums."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from resnet_zoo.data import CIFAR10, CIFAR100
from resnet_zoo.data.sources import ResidentImages
from resnet_zoo.errors import InvalidValue, MissingData


def resident(data: CIFAR10, split: str) -> ResidentImages:
    """The images of a split."""
    source = data.source(split)
    assert isinstance(source, ResidentImages)
    return source


def test_images_and_labels_are_those_of_the_files(fake_cifar10: Path) -> None:
    data = CIFAR10(root=str(fake_cifar10), global_batch_size=20)
    images = resident(data, "train").images
    first = pickle.loads((fake_cifar10 / "cifar-10-batches-py" / "data_batch_1").read_bytes())
    expected = first["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    assert np.array_equal(images[:40].numpy(), expected)
    assert data.source("train").labels[:40].tolist() == first["labels"]
    assert data.num_samples == {"train": 200, "test": 50}
    assert data.class_names == tuple(f"name {number}" for number in range(10))
    assert (data.num_classes, data.image_size) == (10, 32)
    assert (data.augmentation.pad, data.augmentation.flip) == (4, True)


def test_a_hundred_classes(fake_cifar100: Path) -> None:
    data = CIFAR100(root=str(fake_cifar100), global_batch_size=20)
    assert (data.num_classes, len(data.class_names)) == (100, 100)
    assert data.num_samples == {"train": 400, "test": 100}
    assert data.source("train").labels[:5].tolist() == [0, 1, 2, 3, 4]
    assert data.normalization != CIFAR10(root=str(fake_cifar100), download=True).normalization


def test_validation_split_has_equal_shares_and_a_fixed_seed(fake_cifar10: Path) -> None:
    data = CIFAR10(root=str(fake_cifar10), global_batch_size=20, val_size=50)
    assert data.num_samples == {"train": 150, "test": 50, "val": 50}
    assert torch.bincount(data.source("val").labels).tolist() == [5] * 10
    again = CIFAR10(root=str(fake_cifar10), global_batch_size=20, val_size=50, seed=7)
    assert torch.equal(resident(again, "val").images, resident(data, "val").images)
    other = CIFAR10(root=str(fake_cifar10), global_batch_size=20, val_size=50, split_seed=1)
    assert not torch.equal(resident(other, "val").images, resident(data, "val").images)
    together = torch.cat([resident(data, split).images for split in ("train", "val")]).flatten(1)
    whole = resident(CIFAR10(root=str(fake_cifar10), global_batch_size=20), "train").images.flatten(1)
    assert sorted(map(tuple, together.tolist())) == sorted(map(tuple, whole.tolist()))


def test_the_test_split_is_never_the_validation_split_silently(fake_cifar10: Path) -> None:
    assert not CIFAR10(root=str(fake_cifar10), global_batch_size=20).has_split("val")
    data = CIFAR10(root=str(fake_cifar10), global_batch_size=20, validate_on_test=True)
    assert torch.equal(resident(data, "val").images, resident(data, "test").images)
    with pytest.raises(InvalidValue, match="exclude each other"):
        CIFAR10(root=str(fake_cifar10), val_size=5, validate_on_test=True)


def test_absent_files_say_where_they_were_looked_for_and_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(MissingData) as caught:
        CIFAR10(root=str(tmp_path / "nowhere"))
    message = str(caught.value)
    for part in (
        "CIFAR10 was not found",
        "data_batch_1",
        str(tmp_path / "nowhere"),
        "Set download to true",
        "docs/data.md",
    ):
        assert part in message


def test_a_download_is_not_started_by_construction_and_its_failure_is_explained(tmp_path: Path) -> None:
    data = CIFAR10(root=str(tmp_path / "new"), download=True)
    assert data.num_samples == {"train": 50_000, "test": 10_000}
    assert data.num_classes == 10
    assert not (tmp_path / "new").exists()
    with pytest.raises(MissingData, match="CIFAR10 could not be downloaded"):
        data.prepare_data()  # tests have no network
    with pytest.raises(MissingData, match="CIFAR10 was not found"):
        _ = data.class_names


def test_files_that_are_there_are_not_downloaded(fake_cifar10: Path) -> None:
    CIFAR10(root=str(fake_cifar10), download=True, global_batch_size=20).prepare_data()


def test_altered_files_are_refused(fake_cifar10: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = CIFAR10(root=str(fake_cifar10), global_batch_size=20)
    monkeypatch.setattr(CIFAR10._files, "test_list", [("test_batch", "0" * 32)])
    with pytest.raises(MissingData, match="damaged or not the original: a checksum differs"):
        data.source("train")
    monkeypatch.setattr(CIFAR10._files, "meta", {**CIFAR10._files.meta, "md5": "0" * 32})
    with pytest.raises(MissingData, match="damaged or not the original"):
        _ = data.class_names


def test_fingerprint_is_plain_and_sees_the_split(fake_cifar10: Path) -> None:
    prints = [
        CIFAR10(root=str(fake_cifar10), global_batch_size=20, val_size=20, split_seed=seed).fingerprint()
        for seed in (0, 0, 1)
    ]
    assert prints[0] == prints[1] != prints[2]
    assert prints[0]["archive_md5"] == "c58f30108f718f92721af3b95e74349a"
