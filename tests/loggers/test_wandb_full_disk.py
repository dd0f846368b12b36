"""A disk that becomes full under W&B is said once, and neither the training nor its end fails of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from resnet_zoo.loggers import RunWandbLogger, WandbSettings
from resnet_zoo.runs import RunDirectory
from tests import own_disks
from tests.ranks import run_on_ranks

FINISH_WITHIN = 20.0


def _log_on_a_disk_that_fills(run: RunDirectory) -> None:
    own_disks.mount_own_disk(run.path, 4096)
    logger = RunWandbLogger(run, WandbSettings(finish_within=FINISH_WITHIN), "offline")
    for step in range(10, 110, 10):
        if step == 50:
            _wait_until_exists(run.wandb_step)
            own_disks.fill(run.path)
        logger.log_metrics({"epoch": 0, "train/loss": 1.0}, step=step)
    logger.close()


def _wait_until_exists(file: Path) -> None:
    while not file.exists():
        time.sleep(0.05)


def test_a_disk_that_becomes_full(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    if why := own_disks.why_none():
        pytest.skip(why)
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    run_on_ranks(1, _log_on_a_disk_that_fills, run)
    shown = capfd.readouterr().err
    assert shown.count(f"W&B: the disk of '{run.path}' is full; rows from step") == 1
    assert "Traceback" not in shown
