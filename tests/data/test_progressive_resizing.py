"""Images grow with the epochs, on a ramp that depends on nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from resnet_zoo.classifier import ImageClassifier
from resnet_zoo.cli.main import main
from resnet_zoo.data import ImageFolder
from resnet_zoo.data.augmentations import ColorJitter, Cutout
from resnet_zoo.data.batch import ImageBatch
from resnet_zoo.data.loaders import ImageLoader
from resnet_zoo.data.order import TrainingOrder
from resnet_zoo.data.progressive_resizing import ProgressiveResizing, averaged_down
from resnet_zoo.data.sources import FileImages
from resnet_zoo.data.transforms import CenterCrop, RandomResizedCrop, ScaleJitter
from resnet_zoo.errors import InvalidValue

GROWING = ProgressiveResizing(16, 32, start_epoch=0, end_epoch=2, multiple=8)


def test_the_ramp_is_ffcvs() -> None:
    """Its ``get_resolution`` with the values of rn50_88_epochs.yaml, epoch by epoch."""
    resizing = ProgressiveResizing(160, 192, start_epoch=65, end_epoch=76)
    sizes = [resizing.size_at(epoch, 256) for epoch in range(88)]
    reference = []
    for epoch in range(88):
        if epoch <= 65:
            reference.append(160)
        elif epoch >= 76:
            reference.append(192)
        else:
            reference.append(round((160 + (epoch - 65) / 11 * 32) / 32) * 32)
    assert sizes == reference
    assert sizes[65] == 160
    assert sizes[76] == 192


@pytest.mark.parametrize(
    ("resizing", "sizes"),
    [
        (ProgressiveResizing(24, None, 1, 4, multiple=4), [24, 24, 28, 28, 32, 32]),
        (ProgressiveResizing(24, end_epoch=2), [24, 32, 32, 32, 32, 32]),
        (ProgressiveResizing(16, 16), [16] * 6),
        (ProgressiveResizing(17, 19, 0, 4, multiple=32), [17, 19, 19, 19, 19, 19]),
    ],
)
def test_sizes(resizing: ProgressiveResizing, sizes: list[int]) -> None:
    assert [resizing.size_at(epoch, 32) for epoch in range(6)] == sizes


@pytest.mark.parametrize(
    ("num_epochs", "said"),
    [
        (16, []),
        (13, ["grow to 176 of 192 pixels, which come with epoch 14; give an end_epoch of 12 at most"]),
        (
            11,
            [
                "stay at 160, and never have 192 pixels, which come with epoch 14; give an end_epoch of 10 at most"
            ],
        ),
    ],
)
def test_a_training_that_is_too_short_for_the_ramp_is_told(num_epochs: int, said: list[str]) -> None:
    remarks = ProgressiveResizing(160, 192, start_epoch=10, end_epoch=14, multiple=4).remarks(num_epochs, 256)
    assert [remark.partition(" of this training images ")[2] for remark in remarks] == said


def test_images_are_averaged_down_and_keep_their_memory_format() -> None:
    images = torch.rand(2, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    small = averaged_down(images, 16)
    assert small.shape == (2, 3, 16, 16)
    assert small.is_contiguous(memory_format=torch.channels_last)
    expected = functional.interpolate(images, (16, 16), mode="bilinear", antialias=True)
    torch.testing.assert_close(small, expected)
    assert averaged_down(images, 32) is images


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start_size": 4}, "start_size=4 is not allowed. Use at least 8"),
        ({"start_size": 160, "end_size": 128}, "end_size=128 is smaller than start_size=160"),
        (
            {"start_size": 8, "start_epoch": 3, "end_epoch": 2},
            "start_epoch=3 and end_epoch=2 are not allowed",
        ),
        ({"start_size": 8, "multiple": 0}, "multiple=0 is not allowed"),
    ],
)
def test_what_does_not_rise_is_refused(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        ProgressiveResizing(**arguments)


def test_a_first_size_that_no_epoch_has_is_refused() -> None:
    with pytest.raises(InvalidValue, match="start_size=16 would have no effect"):
        ProgressiveResizing(16).check(32)
    ProgressiveResizing(16, 16).check(32)
    ProgressiveResizing(16, end_epoch=1).check(32)


def folder(root: Path, num_workers: int = 0, **arguments: Any) -> ImageFolder:
    data = ImageFolder(
        root=str(root),
        global_batch_size=4,
        image_size=32,
        num_workers=num_workers,
        progressive_resizing=GROWING,
        **arguments,
    )
    data.set_seed(0)
    return data


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("augmentation", ["random_resized_crop", "scale_jitter"])
def test_files_are_cropped_at_the_size_of_the_epoch(
    make_folder: Callable[..., Path], num_workers: int, augmentation: str
) -> None:
    data = folder(make_folder(), num_workers, augmentation=augmentation)
    loader = data.train_dataloader()
    usual = data.source("train")
    assert isinstance(usual, FileImages)
    for epoch, size in enumerate((16, 24, 32)):
        loader.set_epoch(epoch)
        for batch in loader:
            assert batch.images.shape[1:] == (3, size, size)
            assert batch.train_size == size
            assert data.prepare(batch).images.shape[-1] == size
            expected = FileImages(usual.index, usual.transform.at_size(size))
            assert torch.equal(batch.images, expected.fetch(batch.indices.clamp(min=0), batch.seeds))
    data.teardown("fit")
    assert {batch.images.shape[-1] for batch in data.val_dataloader()} == {32}
    data.teardown("validate")


def test_a_continued_epoch_has_the_size_of_the_epoch(make_folder: Callable[..., Path]) -> None:
    data = folder(make_folder())
    loader = data.train_dataloader()
    loader.set_epoch(1)
    batches = iter(loader)
    next(batches)
    state = loader.state_dict()
    expected = [batch.images for batch in batches]
    continued = data.train_dataloader()
    continued.load_state_dict(state)
    for batch, images in zip(continued, expected, strict=True):
        assert torch.equal(batch.images, images)
        assert images.shape[-1] == 24


def test_epochs_that_repeat_their_order_grow_nevertheless(make_folder: Callable[..., Path]) -> None:
    source = folder(make_folder()).source("train")
    order = TrainingOrder(len(source.labels), 4, 0)
    loader = ImageLoader(source, order, reshuffle=False, train_size=lambda epoch: 16 + 8 * epoch)
    indices = []
    for epoch in range(2):
        loader.set_epoch(epoch)
        batches = list(loader)
        assert batches[0].images.shape[-1] == 16 + 8 * epoch
        indices.append(torch.cat([batch.indices for batch in batches]))
    assert torch.equal(*indices)


def test_changed_images_and_those_that_cannot_be_read_have_the_size_of_the_epoch(
    make_folder: Callable[..., Path],
) -> None:
    root = make_folder()
    (root / "train" / "cat" / "000.jpg").write_bytes(b"no picture")
    jitter = ColorJitter(brightness=0.5)
    data = folder(root, bad_image_budget=1, augment=[jitter])
    batches = list(data.train_dataloader())
    assert {batch.images.shape[-1] for batch in batches} == {16}
    assert sum(len(batch.unreadable) for batch in batches) == 1
    assert sum(int((batch.indices >= 0).sum()) for batch in batches) == data.num_samples["train"] - 1


@pytest.mark.parametrize("transform", [RandomResizedCrop(224), ScaleJitter(224), CenterCrop(224, 256)])
def test_a_crop_of_another_size_shows_the_same_part_of_the_image(transform: Any) -> None:
    smaller = transform.at_size(112)
    assert smaller.size == 112
    for seed in range(20):
        crop, small = transform.crop(375, 500, seed), smaller.crop(375, 500, seed)
        if isinstance(transform, RandomResizedCrop):
            assert small.source == crop.source
        else:
            assert small.resized[0] / 112 == pytest.approx(crop.resized[0] / 224, abs=0.02)
        assert small.kept[2:] == (112, 112)


def test_a_training_sees_the_sizes_and_an_evaluation_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of images held in memory, which are augmented at their own size first."""
    seen: list[int] = []
    training_step = ImageClassifier.training_step

    def watched(self: ImageClassifier, batch: ImageBatch, batch_idx: int) -> torch.Tensor:
        seen.append(batch.images.shape[-1])
        return training_step(self, batch, batch_idx)

    monkeypatch.setattr(ImageClassifier, "training_step", watched)
    config = tmp_path / "small.yaml"
    config.write_text(
        "trainer: {max_epochs: 3, accelerator: cpu, enable_progress_bar: false}\n"
        "model:\n"
        "  backbone: {class_path: tests.small_nets.convolutional}\n"
        "data: {class_path: Synthetic, init_args: {image_size: 16, num_train: 8, num_val: 4, num_test: 4,"
        " global_batch_size: 8, progressive_resizing: {start_size: 8, start_epoch: 0, end_epoch: 2, multiple: 4}}}\n"
        "logger: none\n"
    )
    assert main(["fit", "--config", str(config), "--run_dir", str(tmp_path / "run")]) == 0
    assert seen == [8, 12, 16]


def test_larger_images_than_there_are_end_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--config", "quickstart", "--data.progressive_resizing.start_size", "16"]
    assert main(["explain", *words]) == 2
    message = "progressive resizing to 16 pixels needs images at least as large, and the data's image_size=8"
    assert message in capsys.readouterr().err
    assert main(["fit", *words, "--run_dir", str(tmp_path / "run")]) == 2
    assert message in capsys.readouterr().err


def test_what_changes_regions_must_fit_the_smallest_images(make_folder: Callable[..., Path]) -> None:
    with pytest.raises(InvalidValue, match="Cutout"):
        folder(make_folder(), augment=[Cutout(20)])
    ImageFolder(
        root=str(make_folder(root="small")),
        global_batch_size=4,
        pipeline="cifar",
        image_size=32,
        progressive_resizing=GROWING,
        augment=[Cutout(20)],
    )
