"""Images grow with the epochs, on a ramp that depends on nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from resnet_zoo.cli.main import main
from resnet_zoo.errors import InvalidValue
from resnet_zoo.progressive_resizing import ProgressiveResizing


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


def test_images_are_averaged_down_and_keep_their_memory_format() -> None:
    images = torch.rand(2, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    resizing = ProgressiveResizing(16, end_epoch=1)
    small = resizing.apply(images, 0)
    assert small.shape == (2, 3, 16, 16)
    assert small.is_contiguous(memory_format=torch.channels_last)
    expected = functional.interpolate(images, (16, 16), mode="bilinear", antialias=True)
    torch.testing.assert_close(small, expected)
    assert resizing.apply(images, 1) is images


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


def test_a_training_sees_the_sizes_and_an_evaluation_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    apply = ProgressiveResizing.apply

    def watched(self: ProgressiveResizing, images: torch.Tensor, epoch: int) -> torch.Tensor:
        resized = apply(self, images, epoch)
        seen.append(resized.shape[-1])
        return resized

    monkeypatch.setattr(ProgressiveResizing, "apply", watched)
    config = tmp_path / "small.yaml"
    config.write_text(
        "trainer: {max_epochs: 3, accelerator: cpu, enable_progress_bar: false}\n"
        "model:\n"
        "  backbone: {class_path: tests.small_nets.convolutional}\n"
        "  progressive_resizing: {start_size: 8, start_epoch: 0, end_epoch: 2, multiple: 4}\n"
        "data: {class_path: Synthetic, init_args: {image_size: 16, num_train: 8, num_val: 4, num_test: 4,"
        " global_batch_size: 8}}\n"
        "logger: none\n"
    )
    assert main(["fit", "--config", str(config), "--run_dir", str(tmp_path / "run")]) == 0
    assert seen == [8, 12, 16]


def test_larger_images_than_there_are_end_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--config", "quickstart", "--model.progressive_resizing.start_size", "16"]
    assert main(["explain", *words]) == 2
    message = "progressive resizing to 16 pixels needs images at least as large, and the data's image_size=8"
    assert message in capsys.readouterr().err
    assert main(["fit", *words, "--run_dir", str(tmp_path / "run")]) == 2
    assert message in capsys.readouterr().err
