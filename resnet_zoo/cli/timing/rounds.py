"""What interleaved rounds give: medians with their spread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch


class Spread(NamedTuple):
    """Median over rounds, with the smallest and the largest."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """From one value per round."""
        return cls(statistics.median(values), min(values), max(values))


def seconds_of(
    work: Callable[[], object], device: torch.device, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Seconds until ``work`` is done, on the device too; of wall-clock time, or as another clock counts them."""
    wait_for(device)
    start = clock()
    work()
    wait_for(device)
    return clock() - start


def in_turns(
    contenders: Mapping[str, Callable[[int], object]], steps: int, rounds: int, device: torch.device
) -> dict[str, list[float]]:
    """Seconds of a step, one per round, of contenders that take turns; a first round is not counted.

    Args:
        contenders: by name, what makes so many steps.
        steps: of a turn.
        rounds: that are counted.
        device: on which all work.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, run in contenders.items():
            taken = seconds_of(partial(run, steps), device)
            if number:
                seconds[name].append(taken / steps)
    return seconds


def wait_for(device: torch.device) -> None:
    """Return when the device has done what it was given; a CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def peak_memory(device: torch.device) -> int | None:
    """The most bytes of a GPU that this process had since it was last asked; None where torch does not count them."""
    if device.type != "cuda":
        return None
    peak = torch.cuda.max_memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    return peak
