"""Trainings that are killed and resumed, on any number of ranks, for the tests of resuming."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Literal

from resnet_zoo.callbacks.resume_trial import KillAt, SampleOrder
from resnet_zoo.cli import training
from resnet_zoo.runs import RunDirectory
from tests.ranks import run_on_ranks
from tests.tiny_runs import fit_words

Moment = tuple[int, Literal["training", "validation"]]
"""After how many updates a training is killed, and during what."""


def words_for(folder: Path, name: str, *words: str) -> list[str]:
    """What trains the tiny run in ``folder / name``."""
    samples(folder, name).mkdir(exist_ok=True)
    return fit_words(folder / name, *words)


def samples(folder: Path, name: str) -> Path:
    """Where the order of its samples is written."""
    return folder / f"{name}-samples"


def fit(folder: Path, name: str, world_size: int, *words: str) -> RunDirectory:
    """Train to the end."""
    given = words_for(folder, name, *words)
    callbacks = [SampleOrder(samples(folder, name))]
    assert run_on_ranks(world_size, training.main, given, callbacks) == [0] * world_size
    return RunDirectory(folder / name)


def fit_until_killed(folder: Path, name: str, world_size: int, moment: Moment, *words: str) -> None:
    """Train until all ranks are killed."""
    given = words_for(folder, name, *words)
    callbacks = [SampleOrder(samples(folder, name)), KillAt(*moment, samples(folder, name))]
    codes = run_on_ranks(world_size, training.main, given, callbacks, expects_death=True)
    assert codes == [-signal.SIGKILL] * world_size
