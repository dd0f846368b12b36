"""Several ranks as processes of this machine, which train together when they are asked to."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection, wait
from pathlib import Path

import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from resnet_zoo.cli.out_of_memory import told_when_too_large
from resnet_zoo.cli.timing.fitted import train_in
from resnet_zoo.cli.timing.job import Job
from resnet_zoo.cli.timing.paced import PacedTraining
from resnet_zoo.errors import SaidElsewhere, UserMistake

PATIENCE = 30.0
"""Seconds that processes get to end by themselves."""


class RankFailed(RuntimeError):
    """A rank ended in the middle; what it said stands on standard error."""


class RankGroup:
    """The real ``fit`` on some ranks, each a new process; it takes its turns when it is told to.

    Args:
        job: of all ranks together: its batch is that of an update.
        steps: updates of a turn; the job's updates are a multiple of it.
    """

    def __init__(self, job: Job, steps: int) -> None:
        self._closing = ExitStack()
        folder = self._closing.enter_context(tempfile.TemporaryDirectory(prefix="resnet-zoo-scaling-"))
        context = multiprocessing.get_context("spawn")
        # Kept here, as torchrun's agent keeps it: a port that is chosen now and that rank 0 listens to seconds later,
        # when it has imported everything, may be somebody else's by then.
        self._table = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        self._pipes: list[Connection] = []
        self._processes = []
        for rank in range(job.devices):
            here, there = context.Pipe()
            environment = _as_torchrun_would(rank, job.devices, self._table.port) if job.devices > 1 else {}
            arguments = (there, job, steps, Path(folder) / "run", environment)
            process = context.Process(target=_serve, args=arguments, daemon=True)
            process.start()
            there.close()
            self._pipes.append(here)
            self._processes.append(process)

    def turn(self, synchronised: bool) -> float:
        """Let all ranks train for a turn; seconds of an update of the slowest.

        Args:
            synchronised: whether the ranks exchange gradients and buffers.

        Raises:
            UserMistake: that a rank ended with, as one that its memory does not hold the batch.
            RankFailed: one of them did not get to the end of its turn.
        """
        try:
            for pipe in self._pipes:
                pipe.send(synchronised)
            return max(self._seconds_of_all())
        except UserMistake:
            self.close(patience=1.0)
            raise
        except (EOFError, OSError) as error:
            # The others wait for the lost one.
            self.close(patience=1.0)
            raise RankFailed(f"one of {len(self._pipes)} ranks ended before its turn did.") from error

    def _seconds_of_all(self) -> Iterator[float]:
        """As they come: the end of one that died is heard while the others still wait for it."""
        waiting = list(self._pipes)
        while waiting:
            for pipe in wait(waiting):
                assert isinstance(pipe, Connection)
                answer = pipe.recv()
                waiting.remove(pipe)
                if not isinstance(answer, UserMistake):
                    yield float(answer)
                elif not isinstance(answer, SaidElsewhere):
                    raise answer

    def close(self, patience: float = PATIENCE) -> None:
        """Wait for the processes' end, and end those that do not come to one in so many seconds."""
        for pipe in self._pipes:
            pipe.close()  # who waits for a turn learns that there is none
        until = time.monotonic() + patience
        for process in self._processes:
            process.join(max(0.0, until - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
        self._closing.close()


def _serve(there: Connection, job: Job, steps: int, run_dir: Path, environment: dict[str, str]) -> None:
    """What a rank's process does."""
    os.environ.update(environment)
    if job.device == "cpu":
        torch.set_num_threads(1)
    try:
        with told_when_too_large(job):
            train_in(run_dir, PacedTraining(steps, there.recv, there.send), job)
    except UserMistake as mistake:
        there.send(mistake)


def _as_torchrun_would(rank: int, world_size: int, port: int) -> dict[str, str]:
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(world_size),
        "LOCAL_WORLD_SIZE": str(world_size),
        "GROUP_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_RUN_ID": f"scaling-{port}",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "TORCHELASTIC_USE_AGENT_STORE": "True",
    }
