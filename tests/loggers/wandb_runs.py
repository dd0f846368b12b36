"""Reporting to W&B as a training does, and looking at what came of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from resnet_zoo.loggers import RunWandbLogger, WandbSettings
from resnet_zoo.runs import RunDirectory

PATIENCE = 200.0
"""Seconds of what has nothing to do with time, on a machine that is busy."""


def begin(run: RunDirectory, mode: Any, **settings: Any) -> RunWandbLogger:
    chosen = WandbSettings(**{"finish_within": PATIENCE, **settings})
    return RunWandbLogger(run, chosen, mode, {"model": {"backbone": "resnet20_cifar"}})


def log(logger: RunWandbLogger, *steps: int) -> None:
    """Rows as a training writes them: one of training and one of validation at every step.

    The process stands still meanwhile: a row that waited for it would wait forever.
    """
    for step in steps:
        logger.log_metrics({"epoch": 0, "train/loss": 1.0 / (1 + step)}, step=step)
        with standing_still(logger.process_id):
            logger.log_metrics({"epoch": 0, "val/top1": float(step)}, step=step)


@contextmanager
def standing_still(process: int | None) -> Iterator[None]:
    """Where there is one: it may have ended, but nobody has asked how, so that its number is still its own."""
    if process is None:
        yield
        return
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def processes_of(parent: int | None) -> list[str]:
    """wandb's services that were started for a process."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"--pid" in words and words[words.index(b"--pid") + 1] == str(parent).encode():
            found.append(file.parent.name)
    return found


def written(run: RunDirectory) -> bytes:
    return b"".join(path.read_bytes() for path in run.path.rglob("*") if path.is_file())


def wait_until(condition: Callable[[], bool]) -> None:
    """As long as it takes; what never happens ends with the time that a test has."""
    while not condition():
        time.sleep(0.05)
