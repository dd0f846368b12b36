"""Data sets with ``augment``: the same images wherever a run runs, and evaluation untouched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from resnet_zoo.data import CIFAR10, Digits, ImageBatch, ImageDataModule, ImageFolder, Synthetic
from resnet_zoo.data.augmentations import (
    Augmentation,
    AugmentationPlan,
    ColorJitter,
    CutMix,
    Cutout,
    ImageAugmentation,
    MixUp,
    RandAugment,
    RandomErasing,
    TrivialAugmentWide,
)
from resnet_zoo.data.augmented import AugmentedImages
from resnet_zoo.data.loaders import ImageLoader
from resnet_zoo.data.order import TrainingOrder
from resnet_zoo.data.random import SampleGenerator
from resnet_zoo.data.sources import ResidentImages
from resnet_zoo.errors import InvalidValue

EVERYTHING: list[Augmentation] = [
    RandAugment(),
    TrivialAugmentWide(),
    ColorJitter(),
    RandomErasing(0.5, fill="noise"),
    Cutout(3),
    MixUp(0.2, 0.5),
    CutMix(1.0, 0.5),
]
PLAN = AugmentationPlan(EVERYTHING)
SOURCE = AugmentedImages(
    ResidentImages(
        torch.randint(0, 256, (22, 8, 8, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)),
        torch.arange(22) % 3,
    ),
    PLAN,
)


def by_image(batches: list[ImageBatch]) -> dict[int, Tensor]:
    """The pixels of every real image."""
    return {
        int(index): image
        for batch in batches
        for image, index in zip(batch.images, batch.indices, strict=True)
        if index >= 0
    }


def batches_of(rank: int = 0, world_size: int = 1, num_workers: int = 0) -> list[ImageBatch]:
    loader = ImageLoader(SOURCE, TrainingOrder(22, 6, 0, rank, world_size), num_workers=num_workers)
    loader.set_epoch(1)
    batches = list(loader)
    loader.close()
    return batches


def test_an_image_is_augmented_alike_on_any_rank_and_in_any_worker() -> None:
    alone = by_image(batches_of())
    on_ranks = [batch for rank in range(3) for batch in batches_of(rank, 3, num_workers=rank % 2)]
    assert alone.keys() == by_image(on_ranks).keys() == set(range(22))
    assert all(torch.equal(image, alone[index]) for index, image in by_image(on_ranks).items())


def test_a_loader_continues_in_the_middle() -> None:
    straight = ImageLoader(SOURCE, TrainingOrder(22, 6, 0, repeats=3))
    whole = list(straight)
    continued = ImageLoader(SOURCE, TrainingOrder(22, 6, 0, repeats=3))
    for _ in zip(range(2), continued, strict=False):
        pass
    state = continued.state_dict()
    resumed = ImageLoader(SOURCE, TrainingOrder(22, 6, 0, repeats=3))
    resumed.load_state_dict(state)
    for before, after in zip(whole[2:], resumed, strict=True):
        assert torch.equal(before.images, after.images)
        assert before.seeds is not None
        assert torch.equal(before.seeds, after.seeds)
    other = ImageLoader(SOURCE, TrainingOrder(22, 6, 0, repeats=2))
    with pytest.raises(InvalidValue, match=r"repeats: 3 then, 2 now"):
        other.load_state_dict(state)


def test_images_change_and_the_source_does_not() -> None:
    source = SOURCE.source
    assert isinstance(source, ResidentImages)
    before = source.images.clone()
    (batch, *_) = batches_of()
    assert not torch.equal(batch.images.permute(0, 2, 3, 1), before[batch.indices])
    assert batch.images.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(source.images, before)
    positions = torch.arange(4)
    assert torch.equal(SOURCE.fetch(positions, None), source.fetch(positions, None))


def test_each_augmentation_of_a_list_draws_its_own_numbers() -> None:
    first, second = (PLAN.generator(12345, position) for position in (0, 1))
    assert first.uniform(0, 1) != second.uniform(0, 1)
    assert PLAN.generator(12345, 1).uniform(0, 1) == PLAN.generator(12345, 1).uniform(0, 1)


class Halved(ImageAugmentation):
    """Breaks the promise to keep the size."""

    paper = "none"

    def __call__(self, image: Image.Image, generator: SampleGenerator) -> Image.Image:
        return image.resize((image.width // 2, image.height // 2))


def test_an_augmentation_that_changes_the_size_is_named() -> None:
    images = AugmentedImages(SOURCE.source, AugmentationPlan([Halved()]))
    with pytest.raises(InvalidValue, match=r"Halved made an image of mode 'RGB' and size \(4, 4\)"):
        images.fetch(torch.arange(2), torch.arange(2))


def check_training_and_evaluation(data: ImageDataModule, plain: ImageDataModule) -> None:
    """Training batches are mixed and finite; evaluation is what it is without augmentation."""
    batch = data.prepare(next(iter(data.train_dataloader())))
    assert batch.mix is not None
    assert bool(batch.images.isfinite().all())
    assert batch.images.dtype == torch.float32
    assert 0 < int((batch.mix.weights < 1).sum()) <= len(batch.labels)
    for one, other in zip(data.test_dataloader(), plain.test_dataloader(), strict=True):
        first, second = data.prepare(one), plain.prepare(other)
        assert first.mix is None
        assert torch.equal(first.images, second.images)


@pytest.mark.parametrize("data_set", [Digits, Synthetic])
def test_sets_in_memory(data_set: type[Digits] | type[Synthetic]) -> None:
    check_training_and_evaluation(
        data_set(augment=EVERYTHING, repeated_augmentation=2, num_workers=0), data_set()
    )


def test_cifar(fake_cifar10: Path) -> None:
    root = str(fake_cifar10)
    check_training_and_evaluation(
        CIFAR10(root=root, augment=EVERYTHING, num_workers=0, global_batch_size=20),
        CIFAR10(root=root, global_batch_size=20),
    )


@pytest.mark.parametrize("pipeline", ["imagenet", "cifar"])
def test_folders(make_folder: Callable[..., Path], pipeline: str) -> None:
    settings = {
        "root": str(make_folder(("train", "test"))),
        "global_batch_size": 6,
        "pipeline": pipeline,
        "image_size": 16,
        "num_workers": 0,
    }
    check_training_and_evaluation(ImageFolder(**settings, augment=EVERYTHING), ImageFolder(**settings))


def test_augmented_images_of_a_file_follow_its_crop(make_folder: Callable[..., Path]) -> None:
    settings = {"root": str(make_folder()), "global_batch_size": 12, "image_size": 16, "num_workers": 0}
    augment: list[Augmentation] = [TrivialAugmentWide()]
    plain, changed = (
        next(iter(ImageFolder(**settings, augment=given).train_dataloader())) for given in (None, augment)
    )
    assert plain.seeds is not None
    for before, after, seed in zip(plain.images, changed.images, plain.seeds.tolist(), strict=True):
        pixels = before.permute(1, 2, 0).contiguous().numpy()
        expected = TrivialAugmentWide()(Image.fromarray(pixels), AugmentationPlan(augment).generator(seed, 0))
        assert np.array_equal(after.permute(1, 2, 0).numpy(), np.asarray(expected))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"Cutout: size=16 is larger than the images of 8 pixels"):
        Digits(augment=[Cutout()])
    with pytest.raises(InvalidValue, match=r"repeated_augmentation=0 is not allowed. Use 1 or more."):
        Digits(repeated_augmentation=0)
    with pytest.raises(InvalidValue, match=r"MixUp mixes two images of one rank's batch"):
        Digits(global_batch_size=1, augment=[MixUp()]).train_dataloader()
    with pytest.raises(InvalidValue, match=r"Odd is neither"):
        Digits(augment=[Odd()])


class Odd(Augmentation):
    """An augmentation of no kind."""

    paper = "none"
