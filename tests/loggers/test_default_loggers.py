"""The CSV table is always there; what is written for W&B stays within the run directory and has no secrets."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from resnet_zoo.errors import InvalidValue
from resnet_zoo.loggers import FencedLogger, MetricsCSV, RunWandbLogger, WandbSettings, default_loggers
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
    assert isinstance(logger, FencedLogger)
    assert isinstance(logger.inner, TensorBoardLogger)
    assert logger.inner.log_dir.startswith(str(run.path / "tensorboard"))
