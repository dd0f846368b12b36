"""Synthetic images: seeded, repeated beyond a number, and learnable."""

from __future__ import annotations

import torch

from resnet_zoo.data import Synthetic
from resnet_zoo.data.sources import ResidentImages


def resident(data: Synthetic, split: str) -> ResidentImages:
    """The images of a split."""
    source = data.source(split)
    assert isinstance(source, ResidentImages)
    return source


def test_counts_classes_and_size() -> None:
    data = Synthetic(
        image_size=20, num_classes=7, num_train=100, num_val=0, num_test=30, global_batch_size=10
    )
    assert data.num_samples == {"train": 100, "test": 30}
    assert data.num_classes == 7
    assert torch.bincount(data.source("test").labels).tolist() == [5, 5, 4, 4, 4, 4, 4]
    batch = next(iter(data.train_dataloader()))
    assert batch.images.shape == (10, 3, 20, 20)


def test_the_same_images_every_time_and_different_ones_per_split() -> None:
    small = {"num_train": 300, "num_distinct": 300}
    first, again, other = Synthetic(**small), Synthetic(seed=5, **small), Synthetic(data_seed=1, **small)
    assert torch.equal(resident(first, "train").images, resident(again, "train").images)
    assert not torch.equal(resident(first, "train").images, resident(other, "train").images)
    assert not torch.equal(resident(first, "train").images[:256], resident(first, "val").images)
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()


def test_a_large_split_repeats_its_images_with_their_labels() -> None:
    data = Synthetic(num_train=1000, num_distinct=32, num_classes=5)
    source = resident(data, "train")
    assert len(source.images) == 32
    assert len(source.labels) == 1000
    positions = torch.tensor([3, 35, 67])
    images = source.fetch(positions, None)
    assert torch.equal(images[0], images[1])
    assert len(source.labels[positions].unique()) == 1


def test_a_linear_classifier_learns_it() -> None:
    data = Synthetic(num_train=400, num_test=200, image_size=8)

    def features(split: str) -> tuple[torch.Tensor, torch.Tensor]:
        source = resident(data, split)
        images = data.normalization.apply(source.images.permute(0, 3, 1, 2)).flatten(1)
        return images, source.labels

    images, labels = features("train")
    weights = torch.linalg.lstsq(images, torch.nn.functional.one_hot(labels).float()).solution
    tests, answers = features("test")
    assert float(((tests @ weights).argmax(dim=1) == answers).float().mean()) > 0.9


def test_large_images_are_flipped_only() -> None:
    assert Synthetic(image_size=64).augmentation.pad == 8
    assert Synthetic(image_size=96, num_distinct=1).augmentation.pad == 0
