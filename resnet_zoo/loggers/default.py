"""The loggers that every run has."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch.loggers import Logger, TensorBoardLogger

from resnet_zoo.errors import InvalidValue
from resnet_zoo.loggers.fenced import FencedLogger
from resnet_zoo.loggers.metrics_csv import MetricsCSV
from resnet_zoo.loggers.rank import is_rank_zero
from resnet_zoo.loggers.wandb import RunWandbLogger
from resnet_zoo.loggers.wandb_history import has_unsent_segment
from resnet_zoo.loggers.wandb_mode import resolve_mode
from resnet_zoo.loggers.wandb_settings import WandbSettings
from resnet_zoo.runs import RunDirectory

LoggerName = Literal["wandb", "tensorboard", "none"]


def default_loggers(
    run_directory: RunDirectory,
    logger: LoggerName = "wandb",
    wandb: WandbSettings | None = None,
    config: Mapping[str, Any] | None = None,
) -> list[Logger]:
    """The CSV table, always and first, and the service that the user chose.

    Args:
        run_directory: the run's folder, which owns all files of all loggers.
        logger: "wandb", "tensorboard" (needs the extra of that name) or "none" for the CSV table alone.
        wandb: how the run appears at W&B.
        config: the resolved configuration, nested, for W&B.

    Raises:
        InvalidValue: the name is unknown, TensorBoard is not installed, or W&B is to be online without a key.
    """
    loggers: list[Logger] = [MetricsCSV(run_directory)]
    if logger == "wandb":
        at_wandb = _wandb_logger(run_directory, wandb or WandbSettings(), config)
        loggers += [at_wandb] if at_wandb is not None else []
    elif logger == "tensorboard":
        loggers.append(FencedLogger(_tensorboard_logger(run_directory)))
    elif logger != "none":
        raise InvalidValue(
            f"no logger named {logger!r}. Use 'wandb', 'tensorboard' or 'none'; metrics.csv is always there."
        )
    return loggers


def _wandb_logger(
    run_directory: RunDirectory, settings: WandbSettings, config: Mapping[str, Any] | None = None
) -> RunWandbLogger | None:
    """The logger for a run; None where W&B is disabled, and on every rank but 0.

    Args:
        run_directory: the run's folder.
        settings: how the run appears.
        config: the resolved configuration, nested.

    Raises:
        InvalidValue: the mode is "online" and there is no API key.
    """
    if not is_rank_zero():
        return None
    mode, reason = resolve_mode(settings.mode)
    if mode == "disabled":
        return None
    if mode == "online" and has_unsent_segment(run_directory):
        # Sent now, the history would begin in its middle.
        mode, reason = "offline", "an earlier part of this run is still to be sent"
    notice = f"W&B: {mode} ({reason})"
    if mode == "offline":
        notice += f"; to send it later: wandb sync '{run_directory.path / 'wandb'}'/offline-run-*"
    return RunWandbLogger(run_directory, settings, mode, config, notice)


def _tensorboard_logger(run_directory: RunDirectory) -> TensorBoardLogger:
    if not any(importlib.util.find_spec(name) for name in ("tensorboard", "tensorboardX")):
        raise InvalidValue(
            "logger 'tensorboard' needs the package tensorboard, which is not installed. "
            "Install it with pip install 'resnet-zoo[tensorboard]', or use 'wandb' or 'none'."
        )
    return TensorBoardLogger(
        save_dir=str(run_directory.path), name="tensorboard", version="", default_hp_metric=False
    )


def attach_files(loggers: Iterable[Logger], paths: Iterable[Path]) -> None:
    """Hand files of the run directory, as they are now, to every logger that takes files."""
    for logger in loggers:
        if isinstance(logger, RunWandbLogger):
            logger.attach(paths)


def close_loggers(loggers: Iterable[Logger], exit_code: int) -> None:
    """End what loggers have running, within a bounded time.

    Args:
        loggers: those of the trainer.
        exit_code: how the run ended, 0 for well.
    """
    for logger in loggers:
        if isinstance(logger, RunWandbLogger | MetricsCSV):
            logger.close(exit_code)
