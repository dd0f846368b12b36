"""Opening a run: its directory, what is written there at the start, and where it continues from."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.pytorch import Trainer

from resnet_zoo.callbacks.checkpoint_integrity import newest_valid, set_aside
from resnet_zoo.callbacks.checkpoint_io import read_checkpoint
from resnet_zoo.cli.consistency import configured_rate
from resnet_zoo.cli.device_options import record_of_device
from resnet_zoo.cli.launch import RUN_DIR_VARIABLE, on_rank_zero
from resnet_zoo.cli.training_cli import TrainingCLI
from resnet_zoo.errors import InvalidValue, MissingData
from resnet_zoo.loggers import attach_files, default_loggers
from resnet_zoo.runs import (
    RunDirectory,
    RunDirectoryLock,
    collect_record,
    read_record,
    sweep_unfinished,
    write_record,
    write_text_atomically,
)
from resnet_zoo.weights import choose_weights

RUNS = Path("runs")


def config_name(cli: TrainingCLI) -> str:
    """What the run is called: the first config's name, else the command's."""
    names = cli.arguments.config_names
    return names[0] if names else cli.command


def open_run_directory(cli: TrainingCLI, folder: Path | None = None) -> RunDirectory:
    """Choose and make the run directory; rank 0 does, all ranks get the same.

    Args:
        cli: with ``run_dir``, where the user chose it.
        folder: of numbered runs, where it gets its number otherwise; by default ``runs/<config name>``.

    Raises:
        InvalidValue: the directory holds another run, or cannot be written to.
    """
    if cli.launch.launcher == "lightning":
        return RunDirectory(Path(os.environ[RUN_DIR_VARIABLE]))
    path = on_rank_zero(cli.launch, lambda: str(_chosen_and_locked(cli, folder).path))
    assert path is not None
    os.environ[RUN_DIR_VARIABLE] = path
    return RunDirectory(Path(path))


def _chosen_and_locked(cli: TrainingCLI, folder: Path | None) -> RunDirectory:
    directory = _choose(cli, folder or RUNS / config_name(cli))
    lock = RunDirectoryLock(directory.path)
    lock.acquire()
    cli.closing.callback(lock.release)
    if cli.config.resume != "auto":
        RunDirectory.at(directory.path)  # again: two that start at the same moment both found it empty
    for swept in (directory.path, directory.checkpoints):
        for path in sweep_unfinished(swept):
            print(f"removed '{path}', which a killed process left half written.", file=sys.stderr)
    return directory


def _choose(cli: TrainingCLI, folder: Path) -> RunDirectory:
    run_dir, resume = cli.config.run_dir, cli.config.resume == "auto"
    if run_dir is not None:
        return RunDirectory.at(Path(run_dir), resume=resume)
    if resume:
        newest = newest_run(folder)
        if newest is not None:
            return RunDirectory.at(newest, resume=True)
    return RunDirectory.create(folder.parent, folder.name)


def run_of(checkpoint: Path) -> RunDirectory | None:
    """The run in whose directory a checkpoint lies; None for one that lies elsewhere."""
    path = checkpoint.resolve().parent.parent
    directory = RunDirectory(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
    return directory if directory.config.is_file() else None


def folder_of_evaluations(command: str, checkpoint: Path | None) -> Path:
    """Where an evaluation gets its number: in the run whose checkpoint it is of, ``<run>/test``, else ``runs/test``.

    Trainings of a config are numbered elsewhere, so that ``--resume auto`` never takes an evaluation for one.

    Args:
        command: validate, test or predict.
        checkpoint: the first that is evaluated; None for weights that belong to no run.
    """
    run = None if checkpoint is None else run_of(checkpoint)
    return (RUNS if run is None else run.path) / command


def newest_run(folder: Path) -> Path | None:
    """The run with the highest number in a folder of runs."""
    runs = (
        [path for path in folder.glob("*") if path.name.isdecimal() and path.is_dir()]
        if folder.is_dir()
        else []
    )
    return max(runs, key=lambda path: int(path.name), default=None)


def given_checkpoint(cli: TrainingCLI) -> Path | None:
    """The checkpoint that ``--ckpt_path`` names, checked to be readable before anything is made; None without.

    An evaluation's model learns which of its weights to load.

    Raises:
        InvalidValue: several were given, it does not fit the model, or lacks the weights asked for.
        MissingData: there is no such file.
    """
    paths = given_checkpoints(cli)
    if not paths:
        return None
    if len(paths) > 1:
        raise InvalidValue(
            f"{cli.command} takes one checkpoint, {len(paths)} were given with --ckpt_path. "
            "Several are an ensemble for validate and test."
        )
    checkpoint = read_checkpoint(paths[0])
    cli.model.check_fits(checkpoint)
    if cli.command != "fit":
        cli.model.weights_name = choose_weights(checkpoint, cli.config.weights, paths[0])
    return paths[0]


def given_checkpoints(cli: TrainingCLI) -> list[Path]:
    """The files that ``--ckpt_path`` names, in order.

    Raises:
        InvalidValue, MissingData: as ``named_checkpoint``.
    """
    given = cli.config.ckpt_path or []
    names = [given] if isinstance(given, str) else given
    return [named_checkpoint(name, cli.config.run_dir) for name in names]


def newest_checkpoint(cli: TrainingCLI, directory: RunDirectory) -> Path | None:
    """The checkpoint that ``--resume auto`` continues; None for a fresh start."""
    if cli.config.resume != "auto":
        return None

    def choose() -> str | None:
        choice = newest_valid(directory.checkpoints)
        for notice in choice.notices():
            print(notice, file=sys.stderr)
        if choice.path is None:
            return None
        cli.model.check_fits(choice.content)
        set_aside(choice.damaged)
        print(
            f"continuing from '{choice.path}': update {choice.content['global_step']}, "
            f"epoch {choice.content['epoch']}.",
            file=sys.stderr,
        )
        return str(choice.path)

    if cli.launch.launcher == "lightning":
        return newest_valid(directory.checkpoints).path
    path = on_rank_zero(cli.launch, choose)
    return None if path is None else Path(path)


def named_checkpoint(given: str, run_dir: str | None) -> Path:
    """The file behind ``--ckpt_path``: a path, or 'best' or 'last' of ``--run_dir``.

    Raises:
        MissingData: there is no such file; those that lie beside it are named.
        InvalidValue: 'best' or 'last' without a run directory.
    """
    path = Path(given)
    if given in ("best", "last"):
        if run_dir is None:
            raise InvalidValue(f"--ckpt_path {given} needs --run_dir, the run whose checkpoint is meant.")
        path = RunDirectory(Path(run_dir)).checkpoints / f"{given}.ckpt"
    if not path.is_file():
        beside = sorted(file.name for file in path.parent.glob("*.ckpt")) if path.parent.is_dir() else []
        found = f"'{path.parent}' has: {', '.join(beside) or 'no checkpoints'}."
        raise MissingData(
            f"no checkpoint at '{path}'. {found if path.parent.is_dir() else 'There is no such folder.'}"
        )
    return path


def start_run(cli: TrainingCLI, directory: RunDirectory, **record: Any) -> None:
    """Write config and record, and give the trainer its loggers and the checkpoints their folder."""
    resolved = cli.resolved_config()
    if cli.launch.rank == 0:
        if directory.config.exists() and directory.config.read_text(encoding="utf-8") != resolved:
            starts = len(list(directory.path.glob("config-*.yaml")))
            directory.config.rename(directory.path / f"config-{starts + 1}.yaml")
        write_text_atomically(directory.config, resolved)
        first_start = read_record(directory.record)["started"] if directory.record.exists() else None
        write_record(directory.record, _record(cli, **record, first_started=first_start))
    cli.checkpoints.directory = directory.checkpoints
    cli.checkpoints.description = {"config": resolved, "data": cli.datamodule.fingerprint()}
    if not cli.trainer.fast_dev_run:  # type: ignore[attr-defined]
        cli.trainer.loggers = default_loggers(
            directory, cli.config.logger, cli.config_init.wandb, yaml.safe_load(resolved)
        )
    if cli.command == "fit":
        attach_files(cli.trainer.loggers, (directory.config, directory.record))


def _device(trainer: Trainer) -> str:
    """What each rank computes on, in words."""
    root = trainer.strategy.root_device
    return f"{torch.cuda.get_device_name(root)} ({root.type})" if root.type == "cuda" else root.type


def _record(cli: TrainingCLI, **more: Any) -> dict[str, Any]:
    trainer, batch_size = cli.trainer, cli.datamodule.global_batch_size
    share = trainer.world_size * trainer.accumulate_grad_batches
    return collect_record(
        world_size=trainer.world_size,
        global_batch_size=batch_size,
        per_rank_batch_size=batch_size // share,
        learning_rate_rule=cli.model.scaled_rate(configured_rate(cli.model), batch_size)[1],
        data=cli.datamodule.fingerprint(),
        backbone=cli.backbone_provenance(),
        seed=cli.config.seed_everything,
        parameters=sum(parameter.numel() for parameter in cli.model.parameters()),
        device=_device(trainer),
        precision=str(trainer.precision),
        **record_of_device(cli),
        accumulate_grad_batches=trainer.accumulate_grad_batches,
        **more,
    )
