"""A run that is killed at any moment and resumed is the run that was never stopped, to the last bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from resnet_zoo.cli.run_comparison import compare_runs
from resnet_zoo.optim import Schedule
from tests.data.pictures import encoded, picture
from tests.resume_trials import Moment, fit, fit_until_killed, samples


def _assert_exact(folder: Path, world_size: int, moment: Moment, *words: str) -> None:
    straight = fit(folder, "straight", world_size, *words)
    fit_until_killed(folder, "resumed", world_size, moment, *words)
    resumed = fit(folder, "resumed", world_size, *words, "--resume", "auto")
    findings = compare_runs(straight, resumed, (samples(folder, "straight"), samples(folder, "resumed")))
    assert [finding.what for finding in findings if finding.identical] == [
        finding.what for finding in findings
    ], findings
    compared = {"weights", "optimizer", "metrics", "results", "samples"}
    compared |= {"averaged weights"} if "--ema.decay" in words else set()
    assert compared <= {finding.what for finding in findings}


LATER = pytest.mark.slow
EVERY_3, EVERY_STEP = ("--checkpoint.every_n_steps", "3"), ("--checkpoint.every_n_steps", "1")
ACCUMULATED = ("--trainer.accumulate_grad_batches", "2")
AVERAGED = ("--ema.decay", "0.8", "--ema.warm_up", "true", "--checkpoint.monitor", "val/ema_loss")
WORKERS = ("--data.num_workers", "2")
AUGMENTED = (
    *("--data.augment", "[TrivialAugmentWide, {class_path: Cutout, init_args: {size: 4}}, MixUp]"),
    *("--data.repeated_augmentation", "2", "--model.loss", "binary_cross_entropy"),
)


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ((9, "training"), (*EVERY_3, *ACCUMULATED, *AVERAGED)),
        ((9, "validation"), (*EVERY_3, *AVERAGED)),
        pytest.param((5, "training"), EVERY_STEP, marks=LATER),
        pytest.param((7, "training"), (*EVERY_3, *WORKERS), marks=LATER),
        pytest.param((7, "training"), (), marks=LATER),
        pytest.param((2, "training"), EVERY_3, marks=LATER),
        pytest.param((5, "validation"), (), marks=LATER),
        pytest.param(
            (8, "training"), ("--checkpoint.every_n_minutes", "1e-9", *ACCUMULATED, *WORKERS), marks=LATER
        ),
        pytest.param((8, "training"), (*EVERY_3, *AUGMENTED), marks=LATER, id="augmented"),
        pytest.param((7, "training"), (*EVERY_3, "--trainer.val_check_interval", "0.5"), marks=LATER),
        pytest.param((4, "validation"), (*EVERY_STEP, "--trainer.val_check_interval", "0.5"), marks=LATER),
    ],
    ids=lambda value: "-".join(str(part).lstrip("-") for part in value) or "epochs",
)
def test_a_killed_run_goes_on_as_if_nothing_had_been(
    tmp_path: Path, moment: Moment, words: tuple[str, ...]
) -> None:
    _assert_exact(tmp_path, 1, moment, *words)


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ((8, "training"), (*EVERY_3, *AVERAGED)),
        pytest.param((8, "training"), (*EVERY_3, *ACCUMULATED, *WORKERS, *AVERAGED), marks=LATER),
    ],
    ids=["alone", "accumulated-workers"],
)
def test_on_two_ranks(tmp_path: Path, moment: Moment, words: tuple[str, ...]) -> None:
    _assert_exact(tmp_path, 2, moment, *words)


# One with a hold, which is released by the training error over a window of updates.
SCHEDULES = {
    "ConstantSchedule": "ConstantSchedule",
    "CosineSchedule": "{class_path: CosineSchedule, init_args: {warmup_epochs: 2}}",
    "ExponentialSchedule": "{class_path: ExponentialSchedule, init_args: {gamma: 0.9}}",
    "OneCycleSchedule": "{class_path: OneCycleSchedule, init_args: {warmup_fraction: 0.5}}",
    "PolynomialSchedule": "PolynomialSchedule",
    "StepSchedule": "{class_path: StepSchedule, init_args: {milestones: [2], "
    "hold: {train_error: 95, window_steps: 4}}}",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEDULES)
def test_with_every_schedule(tmp_path: Path, name: str) -> None:
    _assert_exact(tmp_path, 1, (8, "training"), *EVERY_3, "--model.lr_schedule", SCHEDULES[name])


def test_no_schedule_is_left_out() -> None:
    assert {kind.__name__ for kind in Schedule.__subclasses__()} == set(SCHEDULES)


@pytest.mark.slow
def test_with_dropped_paths_and_growing_images(tmp_path: Path) -> None:
    net = (
        "--model.backbone",
        "resnet_cifar",
        "--model.backbone.depth",
        "8",
        "--model.backbone.drop_path",
        "0.5",
    )
    sizes = {"start_size": 8, "end_size": 16, "end_epoch": 2, "multiple": 4}
    resizing = (f"--data.progressive_resizing.{key}={value}" for key, value in sizes.items())
    _assert_exact(tmp_path, 1, (8, "training"), *EVERY_3, *net, *resizing, "--data.image_size", "16")


@pytest.mark.slow
@pytest.mark.parametrize("world_size", [1, 2])
def test_with_files_cropped_at_the_size_of_the_epoch_and_mixed_several_at_a_time(
    tmp_path: Path, world_size: int
) -> None:
    for split, count in (("train", 10), ("val", 3)):
        for label in range(3):
            (tmp_path / "images" / split / str(label)).mkdir(parents=True)
            for number in range(count):
                path = tmp_path / "images" / split / str(label) / f"{number}.jpg"
                path.write_bytes(encoded(picture(100 * label + number)))
    mixing = "[{class_path: MixUp, init_args: {images_per_share: 4}}]"
    growing = "{start_size: 8, end_size: 16, end_epoch: 2, multiple: 4}"
    words = (
        "--data",
        "ImageFolder",
        "--data.root",
        str(tmp_path / "images"),
        "--data.global_batch_size",
        "8",
    )
    words += ("--data.image_size", "16", "--data.num_workers", "1", "--data.interpolation", "bicubic")
    words += ("--data.progressive_resizing", growing, "--data.augment", mixing)
    _assert_exact(tmp_path, world_size, (6, "training"), *EVERY_3, *words)
