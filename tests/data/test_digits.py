"""The embedded digits: scikit-learn's pixels, a fixed split."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from resnet_zoo.data import Digits
from resnet_zoo.data.digits import read_digits
from resnet_zoo.data.sources import ResidentImages
from resnet_zoo.errors import InvalidValue


def resident(data: Digits, split: str) -> ResidentImages:
    """The images of a split."""
    source = data.source(split)
    assert isinstance(source, ResidentImages)
    return source


def test_pixels_are_those_of_scikit_learn() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    pixels, labels = read_digits()
    original = datasets.load_digits()
    assert np.array_equal(pixels, original.images)
    assert np.array_equal(labels, original.target)


def test_what_it_has() -> None:
    data = Digits()
    assert data.num_samples == {"train": 1438, "test": 359}
    assert data.class_names == tuple("0123456789")
    assert (data.num_classes, data.image_size, data.test_split_name()) == (10, 8, "test")
    images = resident(data, "train").images
    assert images.shape == (1438, 8, 8, 3)
    assert (int(images.min()), int(images.max())) == (0, 255)
    assert torch.equal(images[..., 0], images[..., 2])
    assert not data.augmentation.flip
    assert data.augmentation.pad == 1


def test_test_images_are_the_same_whatever_is_asked_for() -> None:
    expected = resident(Digits(), "test").images
    other = Digits(val_size=200, split_seed=5, seed=9)
    assert torch.equal(resident(other, "test").images, expected)
    counts = torch.bincount(other.source("val").labels)
    assert counts.tolist() == pytest.approx([20] * 10, abs=1)


def test_validation_images_are_taken_from_training() -> None:
    data = Digits(val_size=300)
    assert data.num_samples == {"train": 1138, "val": 300, "test": 359}
    together = torch.cat([resident(data, split).images for split in ("train", "val")]).flatten(1)
    whole = resident(Digits(), "train").images.flatten(1)
    assert sorted(map(tuple, together.tolist())) == sorted(map(tuple, whole.tolist()))
    assert not torch.equal(
        resident(Digits(val_size=300, split_seed=1), "val").images, resident(data, "val").images
    )


def test_validation_on_the_test_split_has_to_be_asked_for_in_words() -> None:
    assert not Digits().has_split("val")
    data = Digits(validate_on_test=True)
    assert torch.equal(resident(data, "val").images, resident(data, "test").images)
    with pytest.raises(InvalidValue, match="val_size=10 and validate_on_test=true exclude each other"):
        Digits(val_size=10, validate_on_test=True)


def test_larger_images_are_enlarged_bilinearly() -> None:
    data = Digits(image_size=32)
    images = resident(data, "train").images
    assert images.shape == (1438, 32, 32, 3)
    assert data.augmentation.pad == 4
    small = resident(Digits(), "train").images.permute(0, 3, 1, 2)
    expected = torch.nn.functional.interpolate(small.float(), (32, 32), mode="bilinear", antialias=True)
    assert float((images.permute(0, 3, 1, 2) - expected).abs().max()) <= 1


def test_normalization_is_that_of_the_training_images_unless_given() -> None:
    batch = Digits(global_batch_size=1438, eval_batch_size=1438)
    images = batch.normalization.apply(resident(batch, "train").images.permute(0, 3, 1, 2))
    assert float(images.mean()) == pytest.approx(0, abs=1e-4)
    assert float(images.std()) == pytest.approx(1, abs=1e-3)
    own = Digits(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    assert own.normalization.mean == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 7}, "image_size=7 is not allowed. Use 8 or more."),
        (
            {"val_size": 1438},
            "val_size=1438 leaves nothing of the 1,438 training images. Use less than 1438.",
        ),
        ({"val_size": -1}, "val_size=-1 is not allowed. Use 0 or more."),
        ({"num_workers": -2}, "num_workers=-2 is not allowed. Use 0 or more."),
        ({"global_batch_size": 0}, "global_batch_size=0 is not allowed. Use 1 or more."),
        ({"eval_batch_size": 0}, "eval_batch_size=0 is not allowed. Use 1 or more."),
        (
            {"global_batch_size": 2048},
            "global_batch_size=2048 is larger than the train split of 1,438 images. Use at most 1438.",
        ),
        (
            {"mean": (0.5, 0.5, 0.5)},
            "mean=(0.5, 0.5, 0.5) and std=None go together. Give both, or neither for the data set's own.",
        ),
    ],
)
def test_arguments_that_are_not_allowed(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        Digits(**arguments)  # type: ignore[arg-type]
    assert str(caught.value) == message
