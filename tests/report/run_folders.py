"""Run directories with made-up curves, in the format that training writes."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

COLUMNS = (
    "step",
    "epoch",
    "train/loss",
    "train/top1",
    "lr",
    "speed/images_per_second",
    "val/loss",
    "val/top1",
)
UPDATES_PER_EPOCH = 10
BATCH = 50


def falling(epoch: float) -> float:
    """A validation error that levels off at 10 % within the first epochs."""
    return 10.0 + 80.0 * math.exp(-epoch)


def training_rows(
    epochs: int,
    error: Callable[[float], float] = falling,
    first_epoch: int = 0,
    validates: bool = True,
    layers: int = 0,
) -> list[dict[str, Any]]:
    """Two training rows and a validation an epoch."""
    rows = []
    for epoch in range(first_epoch, first_epoch + epochs):
        for step in (epoch * UPDATES_PER_EPOCH + 5, (epoch + 1) * UPDATES_PER_EPOCH):
            accuracy = 100.0 - 0.8 * error(step / UPDATES_PER_EPOCH)
            row = {"step": step, "epoch": epoch, "train/loss": (100 - accuracy) / 20, "train/top1": accuracy}
            row |= {"lr": 0.1, "speed/images_per_second": 500.0}
            row |= {f"grad_norm/stage{layer}.conv": 2.0**layer for layer in range(layers)}
            rows.append(row)
        if validates:
            wrong = error(epoch + 1.0)
            rows.append(
                {"step": rows[-1]["step"], "epoch": epoch, "val/loss": wrong / 20, "val/top1": 100.0 - wrong}
            )
    return rows


def result(**changes: Any) -> dict[str, Any]:
    """The content of a result file."""
    return {
        "split": "test", "top1": 91.25, "top5": 99.5, "loss": 0.27, "correct1": 365, "correct5": 398,
        "evaluated": 400, "expected": 400, "duplicates": 0, "unreadable": [], "world_size": 3,
        "checkpoint": "checkpoints/best.ckpt", "weights": "raw",
    } | changes  # fmt: skip


def config(**trainer: Any) -> dict[str, Any]:
    """A resolved config, as far as a report reads it."""
    return {
        "seed_everything": 0,
        "trainer": {"max_epochs": 12, "max_steps": -1, "accelerator": "cpu", **trainer},
        "model": {"backbone": {"class_path": "resnet20_cifar", "init_args": {"shortcut": "A"}}},
        "data": {"class_path": "Digits", "init_args": {"global_batch_size": BATCH}},
    }


def record() -> dict[str, Any]:
    """A run's record, as far as a report reads it."""
    return {
        "started": "2026-01-31T12:00:00+00:00",
        "versions": {"python": "3.11.7", "torch": "2.15.0", "lightning": "2.6.6", "resnet-zoo": None},
        "git": {"working_directory": None, "package": {"commit": "0123456789abcdef", "dirty": True}},
        "host": {"name": "node07", "platform": "Linux", "cpu_count": 2},
        "world_size": 1,
        "batch": {"global": BATCH, "per_rank": BATCH},
        "data": {
            "class": "Digits",
            "num_samples": {"train": 500, "val": 200, "test": 400},
            "num_classes": 10,
        },
        "backbone": {"name": "resnet20_cifar", "package": "resnet-zoo", "arguments": {"shortcut": "A"}},
        "parameters": 269722,
        "precision": "32-true",
    }


def write_metrics(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """The table, with all columns that appear."""
    columns = list(dict.fromkeys((*COLUMNS, *(name for row in rows for name in row))))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_run(
    path: Path,
    rows: Sequence[Mapping[str, Any]] | None = None,
    tested: bool = True,
    settings: Mapping[str, Any] | None = None,
) -> Path:
    """A run of twelve epochs that ended with its test, unless told otherwise. JSON is YAML, and so serves as config."""
    path.mkdir(parents=True)
    written = list(rows if rows is not None else training_rows(12, layers=3))
    if tested:
        step, epoch = written[-1]["step"], written[-1]["epoch"] + 1
        written.append({"step": step, "epoch": epoch, "test/loss": 0.27, "test/top1": 91.25})
    write_metrics(path / "metrics.csv", written)
    if tested:
        (path / "test.json").write_text(json.dumps(result()))
    (path / "config.yaml").write_text(json.dumps(settings or config(), indent=1))
    (path / "record.json").write_text(json.dumps(record()))
    return path


def age(path: Path, seconds: float) -> None:
    """Make a file look as if it had been written so long ago."""
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))
