"""Images that cannot be read leave a gap that is named, and nothing takes their place."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from resnet_zoo.data import ImageFolder
from resnet_zoo.data.batch import ImageBatch
from resnet_zoo.data.decode import UnreadableImage
from resnet_zoo.errors import InvalidValue
from tests.data.conftest import MakeFolder
from tests.data.damage import unreadable_files

WORKERS = [0, 2]


def damaged(root: Path, split: str) -> set[str]:
    """Put eight kinds of damage in the place of eight images of a split; their paths."""
    images = sorted((root / split).rglob("*.jpg"))[1:16:2]
    for image, content in zip(images, unreadable_files().values(), strict=True):
        image.write_bytes(content)
    return set(map(str, images))


def folder(root: Path, num_workers: int = 0, **arguments: object) -> ImageFolder:
    given = {"global_batch_size": 6, "image_size": 16, "num_workers": num_workers, **arguments}
    return ImageFolder(root=str(root), **given)


def batches_of(data: ImageFolder, split: str) -> list[ImageBatch]:
    loader = data.train_dataloader() if split == "train" else data.val_dataloader()
    batches = list(loader)
    data.teardown("fit")
    return batches


@pytest.mark.parametrize("num_workers", WORKERS)
@pytest.mark.parametrize("pipeline", ["imagenet", "cifar"])
def test_evaluation_names_each_and_counts_the_others(
    make_folder: MakeFolder, num_workers: int, pipeline: str
) -> None:
    root = make_folder(per_class=8)
    whole = batches_of(folder(root, pipeline=pipeline), "val")
    bad = damaged(root, "val")
    batches = batches_of(folder(root, num_workers, pipeline=pipeline), "val")
    named = Counter(image.path for batch in batches for image in batch.unreadable)
    assert named == Counter(dict.fromkeys(bad, 1))
    for before, after in zip(whole, batches, strict=True):
        assert before.images.shape == after.images.shape
        gaps = {image.position for image in after.unreadable}
        for row, index in enumerate(before.indices.tolist()):
            if index in gaps:
                assert after.indices[row] == after.labels[row] == -1
            else:
                assert after.indices[row] == index
                assert after.labels[row] == before.labels[row]
                assert torch.equal(after.images[row], before.images[row])


@pytest.mark.parametrize("num_workers", WORKERS)
@pytest.mark.parametrize("pipeline", ["imagenet", "cifar"])
def test_training_goes_on_without_them(make_folder: MakeFolder, num_workers: int, pipeline: str) -> None:
    root = make_folder(per_class=8)
    arguments = {"pipeline": pipeline, "mean": (0.5, 0.5, 0.5), "std": (0.2, 0.2, 0.2)}
    whole = batches_of(folder(root, **arguments), "train")
    bad = damaged(root, "train")
    batches = batches_of(folder(root, num_workers, bad_image_budget=8, **arguments), "train")
    assert {image.path for batch in batches for image in batch.unreadable} == bad
    for before, after in zip(whole, batches, strict=True):
        gaps = {image.position for image in after.unreadable}
        kept = torch.tensor([index not in gaps for index in before.indices.tolist()])
        assert torch.equal(after.indices, before.indices[kept])
        assert torch.equal(after.images, before.images[kept])
        assert after.seeds is not None
        assert before.seeds is not None
        assert torch.equal(after.seeds, before.seeds[kept])
        assert after.update_size == before.update_size


@pytest.mark.parametrize("num_workers", WORKERS)
@pytest.mark.parametrize("pipeline", ["imagenet", "cifar"])
def test_without_a_budget_the_first_one_ends_training(
    make_folder: MakeFolder, num_workers: int, pipeline: str
) -> None:
    root = make_folder(per_class=8)
    bad = damaged(root, "train")
    data = folder(root, num_workers, pipeline=pipeline, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
    with pytest.raises(UnreadableImage, match="bad_image_budget") as caught:
        batches_of(data, "train")
    assert caught.value.path in bad
    assert caught.value.cause in str(caught.value)


def test_a_batch_with_nothing_to_read_still_takes_part(make_folder: MakeFolder) -> None:
    root = make_folder(classes=("cat",), per_class=4)
    for image in (root / "train").rglob("*.jpg"):
        image.write_bytes(b"")
    (batch,) = batches_of(folder(root, global_batch_size=4, bad_image_budget=4), "train")
    assert batch.images.shape == (4, 3, 16, 16)
    assert not batch.images.any()
    assert batch.labels.tolist() == batch.indices.tolist() == [-1] * 4
    assert len(batch.unreadable) == 4


def test_the_normalisation_is_of_what_was_read(make_folder: MakeFolder) -> None:
    root = make_folder(per_class=3)
    removed = sorted((root / "train").rglob("*.jpg"))[4]
    removed.write_bytes(b"")
    damaged_set = folder(root, pipeline="cifar", bad_image_budget=1).normalization
    removed.unlink()
    assert damaged_set == folder(root, pipeline="cifar").normalization


def test_a_budget_is_a_count(make_folder: MakeFolder) -> None:
    with pytest.raises(InvalidValue, match=r"bad_image_budget=-1 is not allowed"):
        folder(make_folder(), bad_image_budget=-1)
