"""A run that is to be reported to W&B, on a machine that may be busy."""

from __future__ import annotations

from pathlib import Path

import pytest

from resnet_zoo.loggers import wandb as our_wandb
from resnet_zoo.loggers import wandb_mode
from resnet_zoo.runs import RunDirectory
from tests.loggers.wandb_runs import PATIENCE


@pytest.fixture
def on_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(our_wandb, "START_WITHIN", PATIENCE)
    monkeypatch.setattr(wandb_mode, "REACHABLE_WITHIN", PATIENCE)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    run = RunDirectory.create(tmp_path / "runs", "quickstart")
    run.config.write_text("seed_everything: 0\n")
    run.record.write_text("{}\n")
    run.checkpoints.mkdir()
    for name in ("last.ckpt", "best.ckpt"):
        (run.checkpoints / name).write_bytes(name.encode())
    return run
