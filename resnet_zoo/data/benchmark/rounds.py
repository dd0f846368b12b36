"""Interleaved rounds of measurement: every contender once in every round, so that all see the same machine."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from resnet_zoo.data.benchmark.contenders import Contender


class Pass(NamedTuple):
    """One pass of a contender over the images.

    Attributes:
        images: how many.
        wall: seconds until the last one was there.
        cpu: seconds of processor time, of this process and of the workers.
    """

    images: int
    wall: float
    cpu: float


class Speed(NamedTuple):
    """Median over rounds, with the slowest and the fastest, in images/s."""

    median: float
    slowest: float
    fastest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Speed:
        """From the speed of every round."""
        return cls(statistics.median(values), min(values), max(values))


class Measured(NamedTuple):
    """What came out for a contender.

    Attributes:
        name: of the contender.
        delivers: what comes out of it.
        per_core: images per second of processor time.
        total: images per second of wall time.
    """

    name: str
    delivers: str
    per_core: Speed
    total: Speed


def measure(contenders: Sequence[Contender], rounds: int) -> list[Measured]:
    """Let all contenders run, round by round; a first pass of each, that starts workers and fills caches, is not
    counted.
    """
    passes: list[list[Pass]] = [[] for _ in contenders]
    try:
        for contender in contenders:
            _run(contender)
        for _ in range(rounds):
            for contender, mine in zip(contenders, passes, strict=True):
                mine.append(_run(contender))
    finally:
        for contender in contenders:
            contender.close()
    return [
        Measured(
            contender.name,
            contender.delivers,
            Speed.of([each.images / each.cpu for each in mine]),
            Speed.of([each.images / each.wall for each in mine]),
        )
        for contender, mine in zip(contenders, passes, strict=True)
    ]


def _run(contender: Contender) -> Pass:
    workers = contender.worker_processes()
    before, own, start = _cpu_seconds(workers), time.process_time(), time.perf_counter()
    images = sum(contender.batches())
    wall, own = time.perf_counter() - start, time.process_time() - own
    return Pass(images, wall, own + _cpu_seconds(workers) - before)


def _cpu_seconds(processes: Sequence[int]) -> float:
    """Processor time of other processes, as Linux counts it; elsewhere none, and a core's speed is too high."""
    ticks = 0
    for process in processes:
        status = Path(f"/proc/{process}/stat")
        if status.exists():
            fields = status.read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])  # in user mode and in the kernel
    return ticks / os.sysconf("SC_CLK_TCK")
