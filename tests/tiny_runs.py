"""Trainings of a few tenths of a second, for tests of what happens to a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from resnet_zoo.callbacks.checkpoint_io import read_checkpoint

UPDATES_PER_EPOCH = 5
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
"""Three epochs of five updates, the last one of each shorter; a row every two updates."""


def fit_words(run: Path, *words: str) -> list[str]:
    """The command that trains into ``run``; its config is written beside it."""
    config = run.parent / "config.yaml"
    config.write_text(CONFIG)
    return ["fit", "--config", str(config), "--run_dir", str(run), *words]


def last_checkpoint(run: Path) -> dict[str, Any]:
    """The content of ``last.ckpt``; an error if a byte of it is not as it was written."""
    return read_checkpoint(run / "checkpoints/last.ckpt")


def assert_same_weights(run: Path, twin: Path) -> None:
    """Bit for bit, of the same update."""
    ours, theirs = last_checkpoint(run), last_checkpoint(twin)
    assert ours["global_step"] == theirs["global_step"]
    assert all(torch.equal(ours["state_dict"][key], value) for key, value in theirs["state_dict"].items())


def assert_close_weights(run: Path, twin: Path, *, rtol: float, atol: float) -> None:
    """Under the same names in the same order."""
    ours, theirs = last_checkpoint(run)["state_dict"], last_checkpoint(twin)["state_dict"]
    assert list(ours) == list(theirs)
    for name, expected in theirs.items():
        torch.testing.assert_close(ours[name], expected, rtol=rtol, atol=atol)


def steps_of_metrics(run: Path) -> list[int]:
    """The updates of the rows of ``metrics.csv``, which must be whole."""
    text = (run / "metrics.csv").read_text()
    assert text.endswith("\n")
    header, *rows = [line.split(",") for line in text.splitlines()]
    assert all(len(row) == len(header) for row in rows)
    return [int(row[0]) for row in rows]
