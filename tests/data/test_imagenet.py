"""ImageNet's layout; the folders here have a thousand synsets of one tiny image."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from torchvision.datasets import Imagenette
from torchvision.models import ResNet18_Weights

from resnet_zoo.data import ImageNet
from resnet_zoo.data.imagenet import KNOWN_POSITIONS
from resnet_zoo.data.normalization import IMAGENET
from resnet_zoo.data.transforms import CenterCrop, RandomResizedCrop, ScaleJitter
from resnet_zoo.errors import InvalidValue, MissingData

MakeImageNet = Callable[..., Path]


def test_what_it_has(make_imagenet: MakeImageNet) -> None:
    root = str(make_imagenet())
    data = ImageNet(root=root)
    assert data.num_samples == {"train": 1000, "val": 1000}
    assert (data.num_classes, data.image_size, data.test_split_name()) == (1000, 224, "val")
    assert data.normalization == IMAGENET
    assert data.class_names == data.synsets  # not the synsets of ImageNet-1k
    assert data._train_transform == RandomResizedCrop(224)
    assert data._eval_transform == CenterCrop(224, 256)
    assert data.augmentation.flip
    assert set(data.fingerprint()["files_sha256"]) == {"train", "val"}
    vgg = ImageNet(root=root, augmentation="scale_jitter", jitter_range=(256, 512), color_noise=0.1)
    assert vgg._train_transform == ScaleJitter(224, (256, 512))
    assert vgg.augmentation.color_noise == 0.1
    assert ImageNet(root=root, augmentation="scale_jitter")._train_transform == ScaleJitter(224, (256, 480))
    batch = next(
        iter(ImageNet(root=root, num_workers=0, global_batch_size=2, image_size=32).val_dataloader())
    )
    assert batch.images.shape == (2, 3, 32, 32)


def test_english_names_come_with_the_right_synsets(
    make_imagenet: MakeImageNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ImageNet(root=str(make_imagenet()))
    synsets = list(data.synsets)
    for synset, position in KNOWN_POSITIONS.items():
        synsets[position] = synset
    monkeypatch.setattr(data, "synsets", tuple(synsets))
    names = data.class_names
    assert len(set(names)) == 1000
    assert names[0] == "tench"
    assert names[217] == "English springer"
    assert list(names) == ResNet18_Weights.IMAGENET1K_V1.meta["categories"]


def test_known_positions_agree_with_torchvision() -> None:
    categories = ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    for synset, position in KNOWN_POSITIONS.items():
        assert categories[position] == Imagenette._WNID_TO_CLASS[synset][0]
    assert sorted(KNOWN_POSITIONS) == [
        name for name, _ in sorted(KNOWN_POSITIONS.items(), key=lambda item: item[1])
    ]


def test_a_missing_val_folder_says_what_is_there(make_imagenet: MakeImageNet) -> None:
    root = make_imagenet(1)
    (root / "val").rename(root / "meta")
    with pytest.raises(MissingData) as caught:
        ImageNet(root=str(root))
    assert str(caught.value) == (
        f"ImageNet root {str(root)!r} has no 'val' folder. Expected 'train' and 'val', found: 'train', 'meta'. "
        "See docs/data.md."
    )


def test_a_subset_belongs_to_image_folder(make_imagenet: MakeImageNet) -> None:
    with pytest.raises(
        InvalidValue, match=r"has 10 class folders, not 1,000. A subset such as Imagenette.* ImageFolder"
    ):
        ImageNet(root=str(make_imagenet(10)))


def test_a_flat_val_folder(make_imagenet: MakeImageNet) -> None:
    root = make_imagenet(3)
    for number, image in enumerate(sorted((root / "val").rglob("*.JPEG"))):
        image.rename(root / "val" / f"{number}.JPEG")
    for synset in [path for path in (root / "val").iterdir() if path.is_dir()]:
        synset.rmdir()
    with pytest.raises(InvalidValue, match=r"val' has images directly inside and no class folders"):
        ImageNet(root=str(root))


def test_other_folder_names_and_other_synsets(make_imagenet: MakeImageNet) -> None:
    root = make_imagenet()
    shutil.move(root / "val" / "n00000007", root / "val" / "n00009999")
    with pytest.raises(InvalidValue, match=r"are missing: 'n00000007'; 1 classes are not in .*: 'n00009999'"):
        ImageNet(root=str(root))
    shutil.move(root / "train" / "n00000003", root / "train" / "zebra")
    with pytest.raises(InvalidValue, match=r"not named like synsets \(n01440764\): 'zebra'"):
        ImageNet(root=str(root))


def test_a_missing_root() -> None:
    with pytest.raises(MissingData, match="ImageNet root 'no/such/folder' does not exist"):
        ImageNet(root="no/such/folder")
