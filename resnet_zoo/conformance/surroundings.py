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


@contextmanager
def surroundings_restored() -> Iterator[None]:
    """Undo what happens to the state inside, except for NumPy's."""
    before = surroundings()
    try:
        yield
    finally:
        for name, (read, write) in _SWITCHES.items():
            if read() != before[name]:
                write(before[name])
