"""The CSV table is always there; what is written for W&B stays within the run directory and has no secrets."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from resnet_zoo.errors import InvalidValue
from resnet_zoo.loggers import MetricsCSV, RunWandbLogger, WandbSettings, default_loggers
from resnet_zoo.runs import RunDirectory

OFFLINE = WandbSettings(mode="offline")


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "runs", "quickstart")


def test_none_leaves_the_csv_table(run: RunDirectory) -> None:
    [logger] = default_loggers(run, "none")
    assert isinstance(logger, MetricsCSV)
    assert logger.save_dir == str(run.path)


def test_wandb_is_the_default_and_disabled_by_its_mode(run: RunDirectory) -> None:
    csv, wandb = default_loggers(run, wandb=OFFLINE)
    assert isinstance(csv, MetricsCSV)
    assert isinstance(wandb, RunWandbLogger)
    assert "wandb sync" in wandb.notice
    assert len(default_loggers(run, "wandb", WandbSettings(mode="disabled"))) == 1


def test_other_ranks_report_nothing(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    assert [type(logger) for logger in default_loggers(run)] == [MetricsCSV]
    assert not run.wandb_id.exists()


def test_the_id_is_made_once_and_kept_in_the_run_directory(run: RunDirectory) -> None:
    first, second = (default_loggers(run, wandb=OFFLINE)[1] for _ in range(2))
    assert first.version == second.version == run.wandb_id.read_text().strip()


def test_what_lightning_is_asked_for_by_private_name_is_still_there(run: RunDirectory) -> None:
    """The deprecated argument is removed from a private attribute; if that moves, a warning comes back."""
    logger = default_loggers(run, wandb=OFFLINE)[1]
    assert isinstance(logger, RunWandbLogger)
    assert {"project", "dir", "id", "resume", "mode", "config"} <= set(logger._wandb_init)
    assert "anonymous" not in logger._wandb_init


def test_an_unknown_logger_is_refused(run: RunDirectory) -> None:
    with pytest.raises(InvalidValue, match=r"no logger named 'mlflow'.*'none'"):
        default_loggers(run, "mlflow")  # type: ignore[arg-type]


def test_an_empty_project_is_refused() -> None:
    with pytest.raises(InvalidValue, match="project is empty"):
        WandbSettings(project=" ")


def test_tensorboard_is_refused_where_it_is_not_installed(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InvalidValue, match=r"pip install 'resnet-zoo\[tensorboard\]'"):
        default_loggers(run, "tensorboard")


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="tensorboard is not installed")
def test_tensorboard_writes_within_the_run_directory(run: RunDirectory) -> None:
    logger = default_loggers(run, "tensorboard")[1]
    assert isinstance(logger, TensorBoardLogger)
    assert logger.log_dir.startswith(str(run.path / "tensorboard"))


def test_a_whole_offline_run_stays_in_its_folder_quietly_and_without_secrets(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setattr(sys, "argv", ["resnet-zoo", "fit", "--token", "swordfish"])
    config: dict[str, Any] = {
        "model": {"backbone": "resnet20_cifar"},
        "service": {"password": "hunter2hunter2"},
    }
    logger = default_loggers(run, wandb=OFFLINE, config=config)[1]
    assert isinstance(logger, RunWandbLogger)
    try:
        logger.log_metrics({"train/loss": 1.0}, step=50)
        logger.log_hyperparams({"record": {"host": "here", "api_key": "opensesame"}})
        assert logger.experiment.config["model"] == {"backbone": "resnet20_cifar"}
        assert logger.experiment.config["record"]["host"] == "here"
        assert logger.experiment.id == run.wandb_id.read_text().strip()
    finally:
        wandb.finish()
    assert capfd.readouterr() == ("", "")
    files = [path for path in run.path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert {path.relative_to(run.path).parts[0] for path in files} == {"wandb", "wandb_id"}
    written = b"".join(path.read_bytes() for path in files)
    assert b"resnet20_cifar" in written
    for secret in (b"swordfish", b"hunter2", b"opensesame"):
        assert secret not in written
