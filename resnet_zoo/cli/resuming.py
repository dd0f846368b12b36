"""Continuing a run: what has changed since the checkpoint was written, and whether that is safe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from resnet_zoo.callbacks.checkpoint_io import read_checkpoint
from resnet_zoo.cli.training_cli import TrainingCLI
from resnet_zoo.errors import InvalidValue
from resnet_zoo.weights import has_average

# What a half-finished epoch depends on. The loader checks the last word of it; these keys are for the message.
_ORDER_KEYS = ("seed_everything", "trainer.accumulate_grad_batches", "trainer.limit_train_batches")
_FREE_DATA_KEYS = ("num_workers", "eval_batch_size", "predict_root")


def check_resume(cli: TrainingCLI, path: Path) -> None:
    """Say what has changed since a checkpoint was written, key by key, and refuse what would spoil the run.

    Other data are refused at any time. So is continuing without averaging where the checkpoint has averaged weights,
    which would be lost, and the reverse, where they would begin late. In the middle of an epoch, so is what the order
    of its images depends on: the batch size, the seed, the accumulated batches. ``--force_resume`` allows all of it.
    The rest of a half-finished epoch is then taken from the beginning of the new order, and an average begins with
    the checkpoint's weights.

    Raises:
        InvalidValue: something changed that cannot be changed safely.
    """
    checkpoint = read_checkpoint(path)
    half_finished = in_mid_epoch(checkpoint)
    lines, refused = _changes(cli, checkpoint.get("run", {}), half_finished)
    refused += _average_appears_or_is_lost(cli, checkpoint)
    if refused and not cli.config.force_resume:
        raise InvalidValue(
            f"'{path}' cannot be continued, since this has changed: {'; '.join(refused)}. "
            + ("It was written in the middle of an epoch. " if half_finished else "")
            + "Take the old values, or continue in spite of it with --force_resume true."
        )
    if cli.launch.rank == 0:
        where = f"update {checkpoint['global_step']} (epoch {checkpoint['epoch']})"
        print(f"continuing '{path}' at {where}", file=sys.stderr)
        for line in [*lines, *(f"{line} (forced)" for line in refused)]:
            print(f"  changed: {line}", file=sys.stderr)
    if cli.ema is not None:
        cli.ema.starts_from_weights = bool(cli.config.force_resume)
    cli.checkpoints.takes_order_of_checkpoint = half_finished and not refused


def in_mid_epoch(checkpoint: dict[str, Any]) -> bool:
    """Whether a checkpoint was written after the first and before the last batch of an epoch."""
    progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    return progress["current"]["ready"] > 0 and not progress["is_last_batch"]


def _changes(cli: TrainingCLI, saved: dict[str, Any], half_finished: bool) -> tuple[list[str], list[str]]:
    """What has changed: what may, and what may not."""
    then, now = (
        dict(flat(yaml.safe_load(saved.get("config") or "{}"))),
        dict(flat(yaml.safe_load(cli.resolved_config()))),
    )
    if not then:
        return [], []
    allowed: list[str] = []
    refused: list[str] = []
    for key in sorted(then.keys() | now.keys()):
        if then.get(key) == now.get(key):
            continue
        line = f"{key}: {then.get(key)} then, {now.get(key)} now"
        (refused if half_finished and _belongs_to_the_order(key) else allowed).append(line)
    ranks = cli.trainer.world_size
    if saved.get("world_size", ranks) != ranks:
        allowed.append(f"number of ranks: {saved['world_size']} then, {ranks} now")
    fingerprint = dict(flat(cli.datamodule.fingerprint()))
    for key, value in flat(saved.get("data") or {}):
        if fingerprint.get(key) != value:
            refused.append(f"data {key}: {value} then, {fingerprint.get(key)} now")
    return allowed, refused


def _average_appears_or_is_lost(cli: TrainingCLI, checkpoint: dict[str, Any]) -> list[str]:
    if has_average(checkpoint) == (cli.ema is not None):
        return []
    lost = "ema: the checkpoint has averaged weights, and ema.decay is not set now, so they would be lost"
    late = "ema: the checkpoint has no averaged weights, and ema.decay is set now, so they would begin late"
    return [lost if cli.ema is None else late]


def _belongs_to_the_order(key: str) -> bool:
    last = key.rpartition(".")[2]
    return key in _ORDER_KEYS or (key.startswith("data.") and last not in _FREE_DATA_KEYS)


def flat(values: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings, by their dotted keys; lists are leaves."""
    if isinstance(values, dict) and values:
        for key, value in values.items():
            yield from flat(value, f"{path}.{key}" if path else str(key))
    elif path:
        yield path, values
