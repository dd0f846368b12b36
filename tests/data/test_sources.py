"""Index and sources: torchvision's files in torchvision's order, in little memory."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision import datasets

from resnet_zoo.data import UnreadableImage
from resnet_zoo.data.index import ImageIndex
from resnet_zoo.data.scan import index_classes, index_folder
from resnet_zoo.data.sources import FileImages, ResidentImages
from resnet_zoo.data.transforms import CenterCrop
from tests.data.pictures import decoded

CLASSES = ["cat", "dog", "owl"]


def test_index_lists_the_files_of_torchvision(make_folder: Callable[..., Path]) -> None:
    root = make_folder(["train"]) / "train"
    (root / "dog" / "more" / "deep").mkdir(parents=True)
    for place in ("dog/more/b.JPG", "dog/more/deep/a.png", "owl/größe ü.jpeg", "cat/notes.txt"):
        (root / place).write_bytes(b"x")
    index = index_classes(str(root), CLASSES)
    expected = datasets.ImageFolder(str(root)).samples
    assert [(index.path(i), int(index.labels[i])) for i in range(len(index))] == expected


def test_hidden_files_and_folders_are_left_out(make_folder: Callable[..., Path]) -> None:
    root = make_folder(["train"]) / "train"
    (root / "dog" / ".thumbnails").mkdir()
    for place in ("dog/.thumbnails/a.jpg", "dog/._000.jpg", "cat/.hidden.png"):
        (root / place).write_bytes(b"x")
    assert len(index_classes(str(root), CLASSES)) == 12


def test_subset_keeps_names_and_labels(make_folder: Callable[..., Path]) -> None:
    index = index_classes(str(make_folder(["train"]) / "train"), CLASSES)
    subset = index.subset(np.array([11, 0, 5]))
    assert [subset.name(i) for i in range(3)] == [index.name(i) for i in (11, 0, 5)]
    assert subset.labels.tolist() == [2, 0, 1]


def test_a_million_files_take_little_memory_and_no_python_objects() -> None:
    names = [(f"n{number // 100:08}", f"n{number // 100:08}_{number}.JPEG") for number in range(100_000)]
    index = ImageIndex.of("train", ((folder, name, 0, 1) for folder, name in names))
    memory = sum(array.nbytes for array in (*index.arrays.values(), index.labels))
    assert memory * 12.8 < 60e6
    assert len(pickle.dumps(index)) < memory + 2000
    assert index.name(99_999) == "/".join(names[-1])
    assert index.path(0) == f"train/{'/'.join(names[0])}"


def test_fingerprint_sees_names_sizes_and_labels(make_folder: Callable[..., Path]) -> None:
    root = make_folder(["train"]) / "train"
    before = index_classes(str(root), CLASSES).fingerprint()
    assert index_classes(str(root), CLASSES).fingerprint() == before
    assert index_classes(str(root), CLASSES[::-1]).fingerprint() != before
    with (root / "cat" / "000.jpg").open("ab") as file:
        file.write(b"x")
    changed = index_classes(str(root), CLASSES).fingerprint()
    assert changed != before
    (root / "cat" / "000.jpg").rename(root / "cat" / "100.jpg")
    assert index_classes(str(root), CLASSES).fingerprint() not in (before, changed)


def test_a_folder_in_any_layout_has_unknown_labels(make_folder: Callable[..., Path]) -> None:
    root = make_folder()
    (root / "top.png").write_bytes(b"x")
    index = index_folder(str(root))
    assert len(index) == 25
    assert set(index.labels.tolist()) == {-1}
    assert index.name(0) == "top.png"


def test_files_and_resident_give_the_same_images(make_folder: Callable[..., Path]) -> None:
    files = FileImages(index_classes(str(make_folder(["train"]) / "train"), CLASSES), CenterCrop(20, 24))
    resident = files.load()
    positions = torch.tensor([3, 11, 0, 3])
    images = files.fetch(positions, None)
    assert torch.equal(images, resident.fetch(positions, None))
    assert torch.equal(images[1], files.transform(decoded(files.index.path(11)), None))
    assert torch.equal(files.labels, resident.labels)
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_images_are_loaded_within_inference_mode_as_well(make_folder: Callable[..., Path]) -> None:
    """There an evaluation measures the training images if nobody gave their mean."""
    files = FileImages(index_classes(str(make_folder(["train"]) / "train"), CLASSES), CenterCrop(20, 24))
    with torch.inference_mode():
        resident = files.load()
    assert torch.equal(resident.images, files.load().images)


def test_blank_where_no_image_is_wanted(make_folder: Callable[..., Path]) -> None:
    files = FileImages(index_classes(str(make_folder(["train"]) / "train"), CLASSES), CenterCrop(20, 24))
    images = files.fetch(torch.tensor([-1, 2]), None)
    assert not images[0].any()
    assert images[1].any()


def test_loading_into_memory_names_the_broken_file(make_folder: Callable[..., Path]) -> None:
    root = make_folder(["train"]) / "train"
    (root / "owl" / "001.jpg").write_bytes(b"")
    with pytest.raises(UnreadableImage, match=r"owl/001.jpg': the file is empty\."):
        FileImages(index_classes(str(root), CLASSES), CenterCrop(20, 24)).load()


def test_more_labels_than_images_repeat_them() -> None:
    images = torch.arange(3 * 12, dtype=torch.uint8).view(3, 2, 2, 3)
    source = ResidentImages(images, torch.zeros(10, dtype=torch.int64))
    fetched = source.fetch(torch.tensor([0, 3, 7, -1]), None).permute(0, 2, 3, 1)
    assert torch.equal(fetched, images[[0, 0, 1, 0]])


def test_a_store_may_hand_out_bytes_or_pixels(make_folder: Callable[[list[str]], Path]) -> None:
    index = index_classes(str(make_folder(["train"]) / "train"), CLASSES)
    files = FileImages(index, CenterCrop(20, 24))

    class Pixels:
        def read(self, position: int) -> NDArray[np.uint8]:
            return np.ascontiguousarray(decoded(index.path(position)).permute(1, 2, 0).numpy())

    positions = torch.tensor([3, 0, 11])
    assert torch.equal(
        FileImages(index, files.transform, Pixels()).fetch(positions, None), files.fetch(positions, None)
    )
