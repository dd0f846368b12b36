"""Packed data sets: the same images as those of the folder, in the same order."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from resnet_zoo.data import ImageNet
from resnet_zoo.data.packed import pack as packing
from resnet_zoo.data.transforms import CenterCrop
from resnet_zoo.errors import InvalidValue
from tests.data.packed_sets import folder, packed, same_batches
from tests.data.pictures import encoded, picture

MakeFolder = Callable[..., Path]


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "IMAGES_PER_SHARD", 5)


@pytest.fixture
def odd_images(make_folder: MakeFolder) -> Path:
    """A folder with images of all kinds among its JPEG files."""
    root = make_folder()
    cat = root / "train" / "cat"
    (cat / "cmyk.jpg").write_bytes(encoded(picture(1, 90, 80).convert("CMYK")))
    (cat / "grey.png").write_bytes(encoded(picture(2, 80, 90).convert("L"), "PNG"))
    (cat / "png.JPEG").write_bytes(encoded(picture(3, 33, 70).convert("RGBA"), "PNG"))
    deep = np.linspace(0, 65535, 64 * 70).astype(np.uint16).reshape(64, 70)
    (cat / "deep.png").write_bytes(encoded(Image.fromarray(deep), "PNG"))
    (cat / "more").mkdir()
    (cat / "more" / "größe.jpg").write_bytes(encoded(picture(4, 100, 60)))
    return root


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("short_side", [None, 100])
def test_files_as_they_are_give_the_same_data_set(
    odd_images: Path, tmp_path: Path, short_side: int | None
) -> None:
    target = packed(odd_images, tmp_path / "packed", short_side=short_side)
    before, after = folder(odd_images), folder(target)
    assert same_batches(before, after)
    assert after.fingerprint() == before.fingerprint()
    assert after.class_names == before.class_names
    for split, count in before.num_samples.items():
        assert after.paths_of(range(count), split) == before.paths_of(range(count), split)
    assert sorted(path.name for path in target.iterdir()) == [
        "packed.json", "train-00000.shard", "train-00001.shard", "train-00002.shard", "train-00003.shard",
        "train.index", "val-00000.shard", "val-00001.shard", "val-00002.shard", "val.index",
    ]  # fmt: skip


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("bare", [False, True])
def test_validation_images_set_aside_are_the_same(
    make_folder: MakeFolder, tmp_path: Path, bare: bool
) -> None:
    root = make_folder([""] if bare else ["train"], per_class=6)
    target = packed(root, tmp_path / "packed")
    assert same_batches(folder(root, val_fraction=0.3), folder(target, val_fraction=0.3))
    with pytest.raises(
        InvalidValue, match=r"has no 'train' folder" if bare else "larger than the train split"
    ):
        folder(target, global_batch_size=100)


def test_the_cifar_pipeline_and_workers_read_packed_images(make_folder: MakeFolder, tmp_path: Path) -> None:
    root = make_folder()
    target = packed(root, tmp_path / "packed")
    assert same_batches(folder(root, pipeline="cifar"), folder(target, pipeline="cifar"))
    with_workers = folder(target, num_workers=1)
    assert same_batches(folder(root), with_workers)
    with_workers.teardown("fit")


def test_imagenet_reads_packed_images(make_imagenet: Callable[..., Path], tmp_path: Path) -> None:
    root = make_imagenet()
    target = packed(root, tmp_path / "packed")
    before, after = (
        ImageNet(root=str(place), global_batch_size=8, num_workers=0) for place in (root, target)
    )
    assert after.fingerprint() == before.fingerprint()
    assert torch.equal(
        next(iter(before.train_dataloader())).images, next(iter(after.train_dataloader())).images
    )
    few = packed(
        Path(shutil.copytree(root, tmp_path / "few", ignore=shutil.ignore_patterns("*9"))), tmp_path / "p"
    )
    with pytest.raises(InvalidValue, match="has 900 class folders, not 1,000"):
        ImageNet(root=str(few))


def test_raw_pixels_are_those_that_evaluation_sees_of_the_files(odd_images: Path, tmp_path: Path) -> None:
    raw = folder(
        packed(odd_images, tmp_path / "packed", short_side=32, raw=True), eval_resize=32, image_size=24
    )
    files = folder(odd_images, eval_resize=32, image_size=24)
    for ours, theirs in zip(raw.val_dataloader(), files.val_dataloader(), strict=True):
        assert torch.equal(ours.images, theirs.images)
    for position in range(files.num_samples["train"]):
        whole = raw._splits["train"].store.read(position)
        assert whole.ndim == 3
        assert min(whole.shape[:2]) <= 32
    assert raw.fingerprint()["packed"] == {"short_side": 32, "quality": None, "raw": True}


def test_large_images_become_jpeg_of_the_short_side_and_small_ones_stay(
    odd_images: Path, tmp_path: Path
) -> None:
    target = packed(odd_images, tmp_path / "packed", short_side=40, quality=95)
    before, after = folder(odd_images), folder(target)
    changed = 0
    for position in range(before.num_samples["train"]):
        one, other = (data._splits["train"].store.read(position) for data in (before, after))
        if not np.array_equal(one, other):
            changed += 1
            assert other[:3].tobytes() == b"\xff\xd8\xff"
            images = [data.source("train") for data in (before, after)]
            crops = [
                type(source)(source.index, CenterCrop(40, 40), source.store).fetch(
                    torch.tensor([position]), None
                )
                for source in images
            ]
            assert (crops[0].float() - crops[1].float()).square().mean() < 30  # 33 dB: what JPEG loses
    assert changed == 4  # all but the JPEG files of 40 by 48 and the PNG of 33 by 70
    assert json.loads((target / "packed.json").read_text())["splits"]["train"]["changed"] == changed
    assert after.fingerprint()["files_sha256"]["val"] == before.fingerprint()["files_sha256"]["val"]
    assert after.fingerprint() != before.fingerprint()
