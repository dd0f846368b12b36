"""Trainings that are killed and resumed, on any number of ranks, for the tests of resuming."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Literal

from resnet_zoo.callbacks.resume_trial import KillAt, SampleOrder
from resnet_zoo.cli import training
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
"""After how many updates a training is killed, and during what."""


def words_for(folder: Path, name: str, *words: str) -> list[str]:
    """What trains the config in ``folder / name``."""
    (folder / "config.yaml").write_text(CONFIG)
    samples(folder, name).mkdir(exist_ok=True)
    return ["fit", "--config", str(folder / "config.yaml"), "--run_dir", str(folder / name), *words]


def samples(folder: Path, name: str) -> Path:
    """Where the order of its samples is written."""
    return folder / f"{name}-samples"


def fit(folder: Path, name: str, world_size: int, *words: str) -> RunDirectory:
    """Train to the end."""
    given = words_for(folder, name, *words)
    callbacks = [SampleOrder(samples(folder, name))]
    assert run_on_ranks(world_size, training.main, given, callbacks) == [0] * world_size
    return RunDirectory(folder / name)


def fit_until_killed(folder: Path, name: str, world_size: int, moment: Moment, *words: str) -> None:
    """Train until all ranks are killed."""
    given = words_for(folder, name, *words)
    callbacks = [SampleOrder(samples(folder, name)), KillAt(*moment)]
    codes = run_on_ranks(world_size, training.main, given, callbacks, expects_death=True)
    assert codes == [-signal.SIGKILL] * world_size
