"""A contender in a process of its own, which has the allocator and the settings that a script of its own would have."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection

import torch

from resnet_zoo.cli.timing.job import Job
from resnet_zoo.cli.timing.loops import LOOPS
from resnet_zoo.cli.timing.rounds import wait_for


class InOwnProcess:
    """Trains in a new process, on request.

    Args:
        name: of the loop, a key of ``LOOPS``.
        job: what it trains.
    """

    def __init__(self, name: str, job: Job) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        arguments = (there, name, job, torch.get_num_threads())
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        there.close()

    def run(self, steps: int) -> None:
        """Let it train for so many steps, and wait.

        Raises:
            EOFError: it died.
        """
        self._here.send(steps)
        self._here.recv()

    def close(self) -> None:
        """End the process."""
        self._here.close()
        self._process.join()


def _serve(there: Connection, name: str, job: Job, threads: int) -> None:
    torch.set_num_threads(threads)
    loop = LOOPS[name](job)
    while True:
        try:
            steps: int = there.recv()
        except EOFError:
            return
        loop.run(steps)
        wait_for(job.torch_device)
        there.send(None)
