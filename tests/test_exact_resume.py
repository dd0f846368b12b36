"""A run that is killed at any moment and resumed is the run that was never stopped, to the last bit."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Literal

import pytest

from resnet_zoo.callbacks.resume_trial import KillAt, SampleOrder
from resnet_zoo.cli import training
from resnet_zoo.cli.run_comparison import compare_runs
from resnet_zoo.runs import RunDirectory
from tests.ranks import run_on_ranks

# 5 updates an epoch, the last one shorter; a row every 2 updates, so that one is under way wherever a checkpoint is.
CONFIG = """
trainer: {max_epochs: 3, accelerator: cpu, enable_progress_bar: false, log_every_n_steps: 2}
model:
  backbone: {class_path: tests.small_nets.convolutional, init_args: {dropout: 0.3}}
  optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.02, momentum: 0.9, weight_decay: 1e-3}}
  lr_schedule: {class_path: OneCycleSchedule}
data:
  class_path: Synthetic
  init_args: {image_size: 8, num_train: 58, num_val: 21, num_test: 9, num_distinct: 58, global_batch_size: 12}
logger: none
"""
Moment = tuple[int, Literal["training", "validation"]]


def _words(folder: Path, name: str, *words: str) -> list[str]:
    (folder / "config.yaml").write_text(CONFIG)
    (folder / f"{name}-samples").mkdir(exist_ok=True)
    return ["fit", "--config", str(folder / "config.yaml"), "--run_dir", str(folder / name), *words]


def _fit(folder: Path, name: str, world_size: int, *words: str) -> RunDirectory:
    given = _words(folder, name, *words)
    callbacks = [SampleOrder(folder / f"{name}-samples")]
    assert run_on_ranks(world_size, training.main, given, callbacks) == [0] * world_size
    return RunDirectory(folder / name)


def _fit_until_killed(folder: Path, name: str, world_size: int, moment: Moment, *words: str) -> None:
    given = _words(folder, name, *words)
    callbacks = [SampleOrder(folder / f"{name}-samples"), KillAt(*moment)]
    codes = run_on_ranks(world_size, training.main, given, callbacks, expects_death=True)
    assert codes == [-signal.SIGKILL] * world_size


def _assert_exact(folder: Path, world_size: int, moment: Moment, *words: str) -> None:
    straight = _fit(folder, "straight", world_size, *words)
    _fit_until_killed(folder, "resumed", world_size, moment, *words)
    resumed = _fit(folder, "resumed", world_size, *words, "--resume", "auto")
    findings = compare_runs(straight, resumed, (folder / "straight-samples", folder / "resumed-samples"))
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


STEPS = "{class_path: StepSchedule, init_args: {milestones: [2], hold: {train_error: 95, window_steps: 4}}}"


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["ConstantSchedule", "CosineSchedule", STEPS])
def test_with_every_schedule(tmp_path: Path, schedule: str) -> None:
    _assert_exact(tmp_path, 1, (8, "training"), *EVERY_3, "--model.lr_schedule", schedule)
