"""Whether two runs are the same training: weights, metrics and the order of the samples, compared bit by bit."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from resnet_zoo.callbacks.checkpoint_io import read_checkpoint
from resnet_zoo.runs import RunDirectory

_OF_THE_CLOCK = ("speed/",)
_SCORES = ("split", "top1", "top5", "loss", "correct1", "correct5", "evaluated", "expected", "duplicates")
_STATES = {
    "state_dict": "weights",
    "ema": "averaged weights",
    "optimizer_states": "optimizer",
    "callbacks": "callbacks",
}
# The first two describe the run; loops count how often it was started, and what they mean for the training is in the
# order of the samples.
_NOT_COMPARED = {"run", "pytorch-lightning_version", "loops"}


Leaves = dict[str, Any]
"""Tensors and plain values by where they stand in what was saved."""


@dataclass(frozen=True)
class Finding:
    """One thing that was compared.

    Attributes:
        what: its name.
        identical: whether it is the same in both runs, to the last bit.
        details: how much was compared, or the first difference.
    """

    what: str
    identical: bool
    details: str


def compare_runs(
    first: RunDirectory, second: RunDirectory, samples: tuple[Path, Path] | None = None
) -> list[Finding]:
    """Compare two finished runs.

    Args:
        first: a run.
        second: another one.
        samples: the folders of their ``SampleOrder`` records, if there are some.
    """
    findings = _compare_checkpoints(first, second)
    findings.append(_compare_rows(_rows(first), _rows(second)))
    if any(run.result(split).exists() for run in (first, second) for split in ("val", "test")):
        findings.append(_compare_results(first, second))
    if samples is not None:
        findings.append(_compare_samples(*samples))
    return findings


def _compare_checkpoints(first: RunDirectory, second: RunDirectory) -> list[Finding]:
    whats = [*_STATES.values(), "other state"]
    parts: list[dict[str, Leaves]] = []
    for run in (first, second):
        parts.append({what: {} for what in whats})
        for key, value in read_checkpoint(run.checkpoints / "last.ckpt").items():
            if key not in _NOT_COMPARED:
                what = _STATES.get(key, "other state")
                leaves = dict(_leaves(value, "" if key in _STATES else key))
                parts[-1][what] |= {path: _without_folder(leaf, run) for path, leaf in leaves.items()}
    return [
        _compare_state(what, *(part[what] for part in parts))
        for what in whats
        if any(part[what] for part in parts)
    ]


def _without_folder(leaf: Any, run: RunDirectory) -> Any:
    """A callback may remember where its files are, which is another place in each run."""
    return leaf.replace(str(run.path), "RUN") if isinstance(leaf, str) else leaf


def _compare_state(what: str, leaves: Leaves, others: Leaves) -> Finding:
    if leaves.keys() != others.keys():
        return Finding(what, False, f"other keys: {sorted(leaves.keys() ^ others.keys())[:3]}")
    different = [key for key in leaves if not _same(leaves[key], others[key])]
    if not different:
        tensors = [leaf for leaf in leaves.values() if isinstance(leaf, Tensor)]
        numbers = sum(tensor.numel() for tensor in tensors)
        amount = f"{len(tensors):,} tensors, {numbers:,} numbers" if tensors else f"{len(leaves):,} values"
        return Finding(what, True, amount)
    key = different[0]
    one, other = leaves[key], others[key]
    return Finding(
        what, False, f"{len(different)} of {len(leaves)} differ, first {key}: {_difference(one, other)}"
    )


def _difference(one: Any, other: Any) -> str:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        if one.shape != other.shape:
            return f"shapes {tuple(one.shape)}, {tuple(other.shape)}"
        return f"by up to {float((one.double() - other.double()).abs().max()):.3g}"
    return f"{one}, {other}"


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{position}]")
    else:
        yield path, value


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return bool(one == other)


def _rows(run: RunDirectory) -> list[dict[str, str]]:
    with run.metrics.open(encoding="utf-8", newline="") as file:
        return [
            {name: value for name, value in row.items() if not name.startswith(_OF_THE_CLOCK)}
            for row in csv.DictReader(file)
        ]


def _compare_rows(first: list[dict[str, str]], second: list[dict[str, str]]) -> Finding:
    for number, (one, other) in enumerate(zip(first, second, strict=False), start=1):
        for name in {**one, **other}:
            if one.get(name) != other.get(name):
                return Finding("metrics", False, f"row {number}, {name}: {one.get(name)}, {other.get(name)}")
    if len(first) != len(second):
        return Finding("metrics", False, f"{len(first)} rows, {len(second)} rows")
    return Finding("metrics", True, f"{len(first):,} rows of metrics.csv")


def _compare_results(first: RunDirectory, second: RunDirectory) -> Finding:
    one, other = (dict(_results(run)) for run in (first, second))
    for name in {**one, **other}:
        if one.get(name) != other.get(name):
            return Finding("results", False, f"{name}: {one.get(name)}, {other.get(name)}")
    return Finding("results", True, ", ".join(dict.fromkeys(name.partition(" ")[0] for name in one)))


def _results(run: RunDirectory) -> Iterator[tuple[str, Any]]:
    """The scores of every result file, by file and key."""
    for split in ("val", "test"):
        for path in sorted(run.path.glob(f"{run.result(split).stem}*.json")):
            for key, value in json.loads(path.read_text(encoding="utf-8")).items():
                if key in _SCORES:
                    yield f"{path.name} {key}", value


Order = dict[tuple[int, int, int], list[int]]


def read_samples(folder: Path) -> dict[int, Order]:
    """The record of ``SampleOrder``: rank -> (updates before, epoch, batch) -> indices.

    Of an update that was made again, the last line counts.
    """
    ranks: dict[int, Order] = {}
    for path in sorted(folder.glob("samples-*.txt")):
        order = ranks.setdefault(int(path.stem.rpartition("-")[2]), {})
        for line in path.read_text(encoding="utf-8").splitlines():
            step, epoch, batch, *indices = map(int, line.split())
            order[step, epoch, batch] = indices
    return ranks


def _compare_samples(first: Path, second: Path) -> Finding:
    one, other = read_samples(first), read_samples(second)
    if one != other:
        places = [
            f"rank {rank}, update {key[0] + 1}"
            for rank, order in one.items()
            for key in sorted(order)
            if order[key] != other.get(rank, {}).get(key)
        ]
        return Finding("samples", False, f"first difference at {places[0] if places else 'the end'}")
    ranks = "one rank" if len(one) == 1 else f"{len(one)} ranks"
    updates = len({key[0] for key in one.get(0, {})})
    images = sum(index >= 0 for order in one.values() for indices in order.values() for index in indices)
    return Finding("samples", True, f"{images:,} images in {updates:,} updates on {ranks}")
