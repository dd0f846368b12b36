"""A contender in a process of its own, which has the allocator and the settings that a script of its own would have."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection

import torch

from resnet_zoo.cli.timing.job import Job
from resnet_zoo.cli.timing.rounds import peak_memory, wait_for
from resnet_zoo.errors import UserMistake

TrainsWhenAsked = Callable[[Job, Iterator[int]], None]
"""Trains a job as many steps as the iterator says, then as many as it says next, until it ends."""


class InOwnProcess:
    """Trains in a new process, on request.

    Args:
        train: how; a function that can be pickled.
        job: what it trains.
        threads: of torch in that process; by default as many as here.

    Attributes:
        peak_bytes: the most memory of the GPU that it had in its last turn; None on a CPU.
    """

    def __init__(self, train: TrainsWhenAsked, job: Job, threads: int | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        arguments = (there, train, job, threads or torch.get_num_threads())
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        there.close()
        self.peak_bytes: int | None = None

    def run(self, steps: int) -> None:
        """Let it train for so many steps, and wait.

        Raises:
            UserMistake, RuntimeError: what went wrong there.
            EOFError: it died.
        """
        with contextlib.suppress(BrokenPipeError):  # it has failed already; what it said can still be read
            self._here.send(steps)
        answer = self._here.recv()
        if isinstance(answer, Exception):
            raise answer
        self.peak_bytes = answer

    def close(self) -> None:
        """End the process."""
        self._here.close()
        self._process.join()


def _serve(there: Connection, train: TrainsWhenAsked, job: Job, threads: int) -> None:
    torch.set_num_threads(threads)
    if job.device == "cuda":
        torch.backends.cudnn.benchmark = True  # as nearly every script has it
    try:
        train(job, _turns(there, job.torch_device))
    except UserMistake as mistake:
        there.send(mistake)
    except Exception as error:  # whatever it is, the other process has to say it
        there.send(RuntimeError(f"{type(error).__name__}: {error}"))


def _turns(there: Connection, device: torch.device) -> Iterator[int]:
    """The numbers of steps that are asked for; each is answered when the next is wanted."""
    while True:
        try:
            steps: int = there.recv()
        except EOFError:
            return
        yield steps
        wait_for(device)
        there.send(peak_memory(device))
