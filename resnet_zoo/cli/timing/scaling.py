"""One training on one rank and one on each larger number of them, a turn at a time."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from resnet_zoo.cli.launch import Launch, on_rank_zero
from resnet_zoo.cli.rendezvous import RANK_TIMEOUT, connect
from resnet_zoo.cli.timing.fitted import train_in
from resnet_zoo.cli.timing.job import Job
from resnet_zoo.cli.timing.paced import PacedTraining
from resnet_zoo.cli.timing.rank_group import RankGroup
from resnet_zoo.ranks import from_all_ranks


@dataclass(frozen=True)
class Turns:
    """Seconds of an update of the slowest rank, one value per round, by the number of ranks.

    Attributes:
        together: as it is trained.
        apart: without what ranks exchange; not of one rank.
    """

    together: dict[int, list[float]] = field(default_factory=dict)
    apart: dict[int, list[float]] = field(default_factory=dict)


def take_turns(job: Job, sizes: list[int], steps: int, rounds: int) -> Turns:
    """Let groups of ranks train in turns; a first round, in which memory and algorithms are found, is not counted.

    On CPUs all groups take their turns in the same minutes of the same machine. On GPUs one group comes after the
    other: together their nets might not fit into memory.

    Args:
        job: with the batch of one rank.
        sizes: numbers of ranks.
        steps: updates of a turn.
        rounds: that are counted.
    """
    turns = Turns()
    updates = steps * (rounds + 1)
    for sizes_at_once in [sizes] if job.device == "cpu" else [[size] for size in sizes]:
        with ExitStack() as closing:
            groups = {}
            for size in sizes_at_once:
                groups[size] = RankGroup(_job_of_all(job, size, updates), steps)
                closing.callback(groups[size].close)
            for number in range(rounds + 1):
                _round(groups, turns if number else Turns())
    return turns


def take_turns_as_started(job: Job, launch: Launch, steps: int, rounds: int) -> Turns:
    """The same on the ranks that torchrun or SLURM has started, on any number of nodes; every rank must call it.

    Args:
        job: with the batch of one rank.
        launch: this rank's.
        steps: updates of a turn.
        rounds: that are counted.
    """
    connect(launch, job.device, RANK_TIMEOUT)
    folder = on_rank_zero(launch, lambda: tempfile.mkdtemp(prefix="resnet-zoo-scaling-"))
    assert folder is not None
    seconds: list[float] = []

    def next_turn() -> bool:
        from_all_ranks(len(seconds))
        return len(seconds) % 2 == 0

    whole = _job_of_all(job, launch.world_size, steps * (rounds + 1))
    paced = PacedTraining(steps, next_turn, seconds.append)
    train_in(Path(folder) / "run", paced, replace(whole, devices=launch.local_world_size))
    slowest = [max(ranks) for ranks in zip(*from_all_ranks(seconds), strict=True)]
    if launch.rank == 0:
        shutil.rmtree(folder, ignore_errors=True)
    return Turns({launch.world_size: slowest[2::2]}, {launch.world_size: slowest[3::2]})


def _job_of_all(job: Job, size: int, updates: int) -> Job:
    turns_of_a_round = 1 if size == 1 else 2
    return replace(job, batch_size=size * job.batch_size, devices=size, updates=updates * turns_of_a_round)


def _round(groups: dict[int, RankGroup], turns: Turns) -> None:
    for size, group in groups.items():
        turns.together.setdefault(size, []).append(group.turn(synchronised=True))
        if size > 1:
            turns.apart.setdefault(size, []).append(group.turn(synchronised=False))
