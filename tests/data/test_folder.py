"""Any folder of images: both pipelines, every layout, and what is said about layouts that are none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from resnet_zoo.data import ImageFolder
from resnet_zoo.data.normalization import IMAGENET, measure
from resnet_zoo.data.sources import FileImages, ResidentImages
from resnet_zoo.data.transforms import CenterCrop, RandomResizedCrop, ScaleJitter
from resnet_zoo.errors import InvalidValue, MissingData

MakeFolder = Callable[..., Path]


def folder(root: Path, **arguments: Any) -> ImageFolder:
    """An ImageFolder with a batch size that small folders allow."""
    return ImageFolder(root=str(root), **{"global_batch_size": 4, "num_workers": 0, **arguments})


def test_given_splits(make_folder: MakeFolder) -> None:
    data = folder(make_folder(["train", "val", "test"]), image_size=16)
    assert data.num_samples == {"train": 12, "val": 12, "test": 12}
    assert data.class_names == ("cat", "dog", "owl")
    assert data.test_split_name() == "test"
    batch = next(iter(data.train_dataloader()))
    assert batch.images.shape == (4, 3, 16, 16)
    assert data.prepare(batch).images.dtype == torch.float32


def test_training_alone_is_allowed(make_folder: MakeFolder) -> None:
    data = folder(make_folder(["train"]))
    assert data.num_samples == {"train": 12}
    assert data.test_split_name() is None
    assert data.val_dataloader() == []


def test_imagenet_pipeline_crops_files(make_folder: MakeFolder) -> None:
    data = folder(make_folder())
    train, val = data.source("train"), data.source("val")
    assert isinstance(train, FileImages)
    assert isinstance(val, FileImages)
    assert train.transform == RandomResizedCrop(224)
    assert val.transform == CenterCrop(224, 256)
    assert data.normalization == IMAGENET
    assert (data.augmentation.flip, data.augmentation.pad) == (True, 0)
    jittered = folder(data_root(data), augmentation="scale_jitter", image_size=112)
    assert jittered._train_transform == ScaleJitter(112, (128, 240))


def data_root(data: ImageFolder) -> Path:
    """Where a data set is."""
    return Path(data.root)


def test_cifar_pipeline_holds_images_in_memory(make_folder: MakeFolder) -> None:
    data = folder(make_folder(), pipeline="cifar", image_size=24, flip=False, eval_resize=24)
    train = data.source("train")
    assert isinstance(train, ResidentImages)
    assert train.images.shape == (12, 24, 24, 3)
    assert (data.augmentation.pad, data.augmentation.flip) == (3, False)
    assert data.normalization == measure(train.images)
    assert folder(data_root(data), pipeline="cifar").image_size == 32


@pytest.mark.parametrize("bare", [False, True])
def test_validation_images_set_aside(make_folder: MakeFolder, bare: bool) -> None:
    root = make_folder([""] if bare else ["train"], per_class=10)
    data = folder(root, val_fraction=0.2)
    assert data.num_samples == {"train": 24, "val": 6}
    assert torch.bincount(data.source("val").labels).tolist() == [2, 2, 2]
    names = [set(data.paths_of(range(data.num_samples[split]), split)) for split in ("train", "val")]
    assert not names[0] & names[1]
    assert len(names[0] | names[1]) == 30
    assert (
        folder(root, val_fraction=0.2)._splits["val"].index.fingerprint()
        == data._splits["val"].index.fingerprint()
    )
    other = folder(root, val_fraction=0.2, split_seed=1)
    assert other._splits["val"].index.fingerprint() != data._splits["val"].index.fingerprint()


def test_prediction_names_every_file(make_folder: MakeFolder) -> None:
    root = make_folder()
    data = folder(root, image_size=16)
    assert data.sample_name(0) == "val/cat/000.jpg"
    batches = list(data.predict_dataloader())
    indices = torch.cat([batch.indices for batch in batches])
    assert indices.tolist() == list(range(12))
    assert data.paths_of(indices.tolist())[-1] == "val/owl/003.jpg"
    loose = folder(root, image_size=16, predict_root=str(root / "train" / "dog"))
    batch = next(iter(loose.predict_dataloader()))
    assert (batch.labels.tolist(), batch.indices.tolist(), batch.seeds) == ([-1] * 4, [0, 1, 2, 3], None)
    assert loose.paths_of([0, 3]) == ["000.jpg", "003.jpg"]
    cifar = folder(root, pipeline="cifar")
    assert cifar.sample_name(3) == "val/cat/003.jpg"


def test_names_of_images_below_a_root_without_train_folder(make_folder: MakeFolder) -> None:
    data = folder(make_folder([""]), val_fraction=0.25)
    assert data.paths_of(range(3)) == sorted(data.paths_of(range(3)))
    assert all(name.split("/")[0] in data.class_names for name in data.paths_of(range(3)))


def test_fingerprint_sees_another_file(make_folder: MakeFolder) -> None:
    root = make_folder()
    before = folder(root).fingerprint()
    assert before == folder(root, global_batch_size=2).fingerprint()
    (root / "val" / "cat" / "000.jpg").rename(root / "val" / "cat" / "a.jpg")
    assert folder(root).fingerprint() != before


def flatten(split: Path) -> None:
    """Move all images of a split directly into it."""
    for number, image in enumerate(sorted(split.rglob("*.jpg"))):
        image.rename(split / f"{number}.jpg")
    for class_folder in [path for path in split.iterdir() if path.is_dir()]:
        class_folder.rmdir()


def empty(split: Path) -> None:
    """Remove all images of one class."""
    for image in (split / "dog").iterdir():
        image.unlink()


def without_images(split: Path) -> None:
    """Remove all images."""
    for image in split.rglob("*.jpg"):
        image.unlink()


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no root": (shutil.rmtree, r"ImageFolder root '.*images' does not exist \(looked for '.*'\)"),
    "flat val": (
        lambda root: flatten(root / "val"),
        r"ImageFolder folder '.*val' has images directly inside and no class folders. Sort them into one folder",
    ),
    "empty val": (
        lambda root: [shutil.rmtree(path) for path in (root / "val").iterdir()],
        r"ImageFolder folder '.*val' has neither class folders nor images",
    ),
    "missing class": (
        lambda root: shutil.rmtree(root / "val" / "dog"),
        r"'.*val' has other classes than '.*train'. 1 of the 3 classes of '.*train' are missing: 'dog'\.",
    ),
    "other class": (
        lambda root: (root / "val" / "dog").rename(root / "val" / "wolf"),
        r"are missing: 'dog'; 1 classes are not in '.*train': 'wolf'\.",
    ),
    "empty class": (
        lambda root: empty(root / "train"),
        r"ImageFolder folder '.*train' has 1 classes without an image: 'dog'\.",
    ),
    "no images": (
        lambda root: without_images(root / "train"),
        r"'.*train' has 3 class folders but no image in them",
    ),
    "no train": (lambda root: shutil.rmtree(root / "train"), r"root '.*' has no 'train' folder beside 'val'"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_folder_that_is_not_one_is_explained(kind: str, make_folder: MakeFolder) -> None:
    root = make_folder()
    damage, message = BROKEN[kind]
    damage(root)
    with pytest.raises((MissingData, InvalidValue), match=message) as caught:
        folder(root)
    assert str(caught.value).endswith("See docs/data.md.")


def test_many_missing_classes_are_counted_and_five_named(make_folder: MakeFolder) -> None:
    root = make_folder(classes=[f"class{number}" for number in range(9)], per_class=1)
    for number in range(8):
        shutil.rmtree(root / "val" / f"class{number}")
    with pytest.raises(InvalidValue, match="'class3', 'class4' and 3 more"):
        folder(root)


def test_a_file_is_not_a_root(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(MissingData, match="is not a folder"):
        folder(tmp_path / "file")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"pipeline": "imagnet"},
            "pipeline='imagnet' is not allowed. Did you mean 'imagenet'? Allowed: 'imagenet', 'cifar'.",
        ),
        (
            {"augmentation": "rrc"},
            "augmentation='rrc' is not allowed. Allowed: 'random_resized_crop', 'scale_jitter'.",
        ),
        ({"val_fraction": 1.5}, "val_fraction=1.5 is not allowed. Use a share between 0 and 1, e.g. 0.1."),
        ({"eval_resize": 10}, "eval_resize=10 is smaller than image_size=224"),
        ({"jitter_range": (256, 480)}, "would have no effect with 'random_resized_crop'"),
        (
            {"augmentation": "scale_jitter", "jitter_range": (100, 480)},
            "jitter_range=[100, 480] is not allowed",
        ),
        ({"pipeline": "cifar", "augmentation": "scale_jitter"}, "would have no effect with pipeline='cifar'"),
        ({"color_noise": -0.1}, "color_noise=-0.1 is negative"),
        ({"image_size": 0}, "image_size=0 is not allowed"),
        ({"val_fraction": 0.2}, "would set aside training images, but ImageFolder root"),
        ({"global_batch_size": 13}, "global_batch_size=13 is larger than the train split of 12 images"),
        ({"predict_root": "nowhere"}, "predict root 'nowhere' does not exist"),
    ],
)
def test_arguments_that_are_not_allowed(
    arguments: dict[str, Any], message: str, make_folder: MakeFolder
) -> None:
    with pytest.raises((InvalidValue, MissingData)) as caught:
        folder(make_folder(), **arguments)
    assert message in str(caught.value)


def test_class_folders_in_the_root_need_a_share_for_validation(make_folder: MakeFolder) -> None:
    with pytest.raises(InvalidValue, match="If its folders are the classes, say how many"):
        folder(make_folder([""]))


def test_a_share_that_leaves_nothing(make_folder: MakeFolder) -> None:
    with pytest.raises(InvalidValue, match=r"val_fraction=0.01 of 12 images leaves 12 for training and 0"):
        folder(make_folder(["train"]), val_fraction=0.01)


def test_an_empty_predict_root(make_folder: MakeFolder, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(MissingData, match=r"predict_root '.*none' has no images"):
        folder(make_folder(), predict_root=str(tmp_path / "none")).predict_dataloader()
