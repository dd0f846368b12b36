"""The trainings behind ``resnet-zoo reproduce``: in this process, one after the other, and in helpers beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import torch

from resnet_zoo.cli import training
from resnet_zoo.experiments.conductor import Conductor
from resnet_zoo.experiments.training import Worker


def train(conductor: Conductor, jobs: int, say: Callable[[str], None], wait: bool) -> None:
    """Train what is free; with ``wait``, until everything is trained.

    Args:
        conductor: knows what must be trained.
        jobs: processes on this machine that do so side by side.
        say: told about progress.
        wait: stay until what others train is finished as well.

    Raises:
        StoppedBySignal: a training was told to stop.
    """
    torch.set_num_threads(max(1, torch.get_num_threads() // jobs))
    worker = Worker(conductor.store, run_in_process, say)
    worker.train(conductor.runs, wait)
    if not any(run in conductor.runs for run in conductor.unfinished()):
        worker.train(conductor.tests, wait)


def run_in_process(words: list[str], log: Path) -> int:
    """An ordinary ``fit`` or ``validate`` in this process, which pays imports once; what it prints goes to a file.

    Returns:
        its exit code.
    """
    with _printing_to(log):
        return training.main(words)


@contextmanager
def _printing_to(log: Path) -> Iterator[None]:
    """Send to a file what this process prints, by whatever way, within the block."""
    with log.open("a", encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
        kept = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
        try:
            for descriptor in kept:
                os.dup2(file.fileno(), descriptor)
            yield
        finally:
            file.flush()
            for descriptor, copy in kept.items():
                os.dup2(copy, descriptor)
                os.close(copy)


@contextmanager
def helpers(argv: Sequence[str], count: int, cores: int) -> Iterator[None]:
    """Processes that train beside this one, with the same words; they are gone when the block ends.

    Args:
        argv: the words behind ``reproduce``.
        count: how many processes.
        cores: to be divided among them and this one.
    """
    command = [sys.executable, "-m", "resnet_zoo", "reproduce", "--train-only", *argv]
    environment = {**os.environ, "OMP_NUM_THREADS": str(max(1, cores // (count + 1)))}
    processes = [subprocess.Popen(command, env=environment) for _ in range(count)]
    try:
        yield
        for process in processes:
            process.wait()
    finally:
        for process in processes:
            process.terminate()
            process.wait()
