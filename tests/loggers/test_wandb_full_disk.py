"""A disk that becomes full under W&B is said once, costs the training no time, and its end a bounded one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from resnet_zoo.loggers import RunWandbLogger, WandbSettings
from resnet_zoo.runs import RunDirectory
from tests import own_disks
from tests.ranks import run_on_ranks

IMPERCEPTIBLE = 0.5
"""Seconds for a row on a busy machine."""
FINISH_WITHIN = 20.0


def _log_on_a_disk_that_fills(run: RunDirectory) -> tuple[float, float]:
    """The seconds of the slowest row, and of the end."""
    own_disks.mount_own_disk(run.path, 4096)
    logger = RunWandbLogger(run, WandbSettings(finish_within=FINISH_WITHIN), "offline")
    seconds = []
    for step in range(10, 110, 10):
        if step == 50:
            _wait_until_exists(run.wandb_step)
            own_disks.fill(run.path)
        start = time.monotonic()
        logger.log_metrics({"epoch": 0, "train/loss": 1.0}, step=step)
        seconds.append(time.monotonic() - start)
    start = time.monotonic()
    logger.close()
    return max(seconds), time.monotonic() - start


def _wait_until_exists(file: Path) -> None:
    deadline = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < deadline, f"{file} is not there"
        time.sleep(0.05)


def test_a_disk_that_becomes_full(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    if why := own_disks.why_none():
        pytest.skip(why)
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    [(row, end)] = run_on_ranks(1, _log_on_a_disk_that_fills, run)
    assert row < IMPERCEPTIBLE
    assert end < FINISH_WITHIN + 5
    shown = capfd.readouterr().err
    assert shown.count(f"W&B: the disk of '{run.path}' is full; rows from step") == 1
    assert "Traceback" not in shown
