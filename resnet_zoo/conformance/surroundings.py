"""The state of a process that a net has no business with: modes, default types, seeds."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


def _write_benchmark(value: bool) -> None:
    torch.backends.cudnn.benchmark = value


_SWITCHES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "the gradient mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "the default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "the number of threads": (torch.get_num_threads, torch.set_num_threads),
    "deterministic algorithms": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    "the float32 matmul precision": (
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
    "cudnn.benchmark": (lambda: torch.backends.cudnn.benchmark, _write_benchmark),
    "Python's random state": (random.getstate, random.setstate),
}


def surroundings() -> dict[str, Any]:
    """The current state, each part by a name for messages."""
    state = {name: read() for name, (read, _) in _SWITCHES.items()}
    numpy = sys.modules.get("numpy")
    return state | ({"NumPy's random state": str(numpy.random.get_state())} if numpy else {})


def with_random_states_of(pass_number: int) -> None:
    """Put Python's and NumPy's random states where they differ from pass to pass.

    A net that seeds them with a number of its own would go unnoticed where the process was seeded with that number
    before.
    """
    random.seed(f"pass {pass_number}")
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(pass_number)


@contextmanager
def surroundings_restored() -> Iterator[None]:
    """Undo what happens to the state inside."""
    before = surroundings()
    numpy = sys.modules.get("numpy")
    of_numpy = numpy.random.get_state() if numpy is not None else None
    try:
        yield
    finally:
        for name, (read, write) in _SWITCHES.items():
            if read() != before[name]:
                write(before[name])
        if numpy is not None:
            numpy.random.set_state(of_numpy)
