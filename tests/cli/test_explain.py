"""What a run would do, also where its data is not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from jsonargparse import Namespace

from resnet_zoo.cli import step_time
from resnet_zoo.cli.main import main
from resnet_zoo.cli.stand_in import with_stand_in


def explained(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["explain", *words]) == 0
    return capsys.readouterr().out


def test_imagenet_is_explained_without_its_images(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--config", "r18_imagenet", "--data.root", "nowhere", "--trainer.devices", "4")
    text = explained(capsys, *words)
    assert "ImageNet root 'nowhere' does not exist" in text
    assert "computed for ImageNet's published 1,281,167 training images" in text
    assert "ImageNet: 1000 classes, 1,281,167 train, 50,000 val" in text
    assert "global batch 256 = 64 images x 4 ranks x 1 accumulated" in text
    assert "5,005 updates an epoch, 450,450 in all (90.0 epochs)" in text
    assert "decayed: 62 tensors, 11,689,512 values" in text, "the paper decays everything"


def test_what_happens_to_images_is_explained_without_them(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("timm", reason="its optimizer needs timm: pip install 'resnet-zoo[timm]'")
    text = explained(
        capsys, "--config", "r50_imagenet_rsb_a3", "--data.root", "nowhere", "--data.color_noise", "0.1"
    )
    images = text.split("# augmentation of training images\n")[1].split("# batches")[0].splitlines()
    assert images[0].startswith("in the loader: RandomResizedCrop(size=160, ")
    assert images[0].endswith("interpolation='bicubic')")
    kinds = [line.split(": ")[1].split("(")[0] for line in images[1:5]]
    assert kinds == ["RandAugment", "BatchAugmentation", "MixUp", "CutMix"]
    assert "color_noise=0.1" in images[2]
    assert "images_per_share=512" in images[3]
    assert images[5:] == [
        "trained on 160x160 pixels, evaluated on 224x224",
        "evaluation: CenterCrop(size=224, short_side=235, interpolation='bicubic')",
    ]


def test_a_hold_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    text = explained(capsys, "--config", "r110_cifar10", "--data.root", "nowhere", "--data.download", "false")
    assert (
        "held at 0.1 of the rate until the training error over 100 updates is below 80 %; until then" in text
    )
    assert "it is 0.01 at most" in text
    rates = dict(
        line.split() for line in text.split("epoch  learning rate\n")[1].split("\n\n")[0].splitlines()
    )
    assert (rates["90"], rates["91"], rates["137"]) == ("0.1", "0.01", "0.001"), (
        "32k and 48k updates of 352 an epoch"
    )
    assert "352 updates an epoch, 64,000 in all" in text, "45,000 images, as the paper splits them"


def test_hours_come_from_measured_steps(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_time, "LONG_ENOUGH", math.inf)  # of a busy machine two images may take that long
    text = explained(
        capsys, "--config", "quickstart", "--trainer.devices", "2", "--trainer.max_epochs", "100", "--measure"
    )
    lines = text.split("# expected time\n")[1].splitlines()
    speed, images = lines[0].split(" images/s on ")
    assert "steps of 32 images of 8x8" in images
    in_all, minutes = lines[1].split(" images in all: ")
    assert minutes.split()[1] == "minutes"
    seconds = float(minutes.split()[0]) * 60
    assert int(in_all.replace(",", "")) == 100 * 1258
    assert seconds == pytest.approx(100 * 1258 / float(speed.replace(",", "")), rel=0.01)
    assert float(lines[2].split()[1]) == pytest.approx(seconds / 60 / 2, rel=0.01)


def test_images_that_never_grow_are_told_before_and_at_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    growing = ["--data", "Synthetic", "--data.image_size", "16", "--data.num_train", "64", "--data.num_val", "0",
               "--data.global_batch_size", "32", "--data.progressive_resizing.start_size", "8",
               "--data.progressive_resizing.end_epoch", "3", "--trainer.max_epochs", "1"]  # fmt: skip
    words = ["--model.backbone", "resnet20_cifar", "--model.backbone.width", "2", *growing]
    said = "within the 1 epochs of this training images stay at 8, and never have 16 pixels"
    assert said in explained(capsys, *words)
    words += ["--logger", "none", "--trainer.accelerator", "cpu", "--run_dir", str(tmp_path / "run")]
    assert main(["fit", *words]) == 0
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--measure --trainer.precision 16-mixed", "trainer.precision=16-mixed cannot be used"),
        ("--measure true", "--measure takes no value"),
        ("--trainer.devices 0", "trainer.devices=0 and trainer.num_nodes=1 make no process"),
        ("--trainer.num_nodes 0", "trainer.devices=auto and trainer.num_nodes=0 make no process"),
        ("--trainer.accumulate_grad_batches 0", "trainer.accumulate_grad_batches=0 is not allowed"),
        ("--model.batch_size_rule linear", "the learning-rate rule 'linear' needs reference_batch_size"),
    ],
)
def test_mistakes_are_told(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--config", "quickstart", "--trainer.accelerator", "cpu", *line.split()]) == 2
    assert said in capsys.readouterr().err


def test_a_training_without_updates_takes_no_time(capsys: pytest.CaptureFixture[str]) -> None:
    text = explained(capsys, "--config", "quickstart", "--trainer.max_epochs", "0", "--measure")
    assert text.endswith("# expected time\nnone: this training has no updates\n")


@pytest.mark.parametrize("command", ["explain", "fit"])
def test_a_hold_and_mixing_contradict_each_other(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "contradiction.yaml"
    config.write_text(
        "base: quickstart\n"
        "model: {lr_schedule: {class_path: StepSchedule, init_args: {milestones: [9], hold: {train_error: 50}}}}\n"
        "data: {init_args: {augment: [MixUp]}}\n"
    )
    assert main([command, "--config", str(config)]) == 2
    assert (
        "waits for the training error to fall below 50 %, and data.augment has MixUp"
        in capsys.readouterr().err
    )


def test_a_data_set_of_unknown_size_has_no_stand_in() -> None:
    assert (
        with_stand_in([], Namespace(class_path="resnet_zoo.data.ImageFolder", init_args=Namespace())) is None
    )
