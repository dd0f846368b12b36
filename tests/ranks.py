"""Several ranks as processes of this machine, for tests of what must hold on any number of them.

The ranks are forked from the test process, which has imported everything already, and see the environment that
torchrun would give them.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import socket
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any


class RankFailed(AssertionError):
    """A rank raised or did not end in time; the text holds its traceback."""


def run_on_ranks(
    world_size: int,
    function: Callable[..., Any],
    *args: Any,
    timeout: float = 300,
    expects_death: bool = False,
) -> list[Any]:
    """Call ``function(*args)`` on every rank, under gloo's environment, and return what each of them returned.

    With ``expects_death``, return the exit codes of the processes instead; a negative one is a signal's.

    What a rank returns is pickled; tensors travel as NumPy arrays or lists.

    Raises:
        RankFailed: a rank raised, died, or took longer than ``timeout`` seconds.
    """
    # Held until rank 0 listens to it: nobody else is given the port. A store of torch's would hold it, too, but has a
    # thread, and a rank that is forked while that thread looks up a name waits for the name service's lock for ever.
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        return _run_on_ranks(world_size, held.getsockname()[1], function, args, timeout, expects_death)


def _run_on_ranks(
    world_size: int,
    port: int,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    timeout: float,
    expects_death: bool,
) -> list[Any]:
    context = multiprocessing.get_context("fork")
    pipes = [context.Pipe(duplex=False) for _ in range(world_size)]
    processes = [
        context.Process(target=_rank, args=(rank, world_size, port, pipes[rank][1], function, args))
        for rank in range(world_size)
    ]
    # A rank must not clean up after the test process, whose threads it does not have: it would wait for them.
    gc.freeze()
    for process, (_, end_of_rank) in zip(processes, pipes, strict=True):
        process.start()
        end_of_rank.close()  # so that a rank that dies closes the pipe
    gc.unfreeze()
    deadline = time.monotonic() + timeout
    try:
        answers = [_answer(pipe[0], deadline) for pipe in pipes]
    finally:
        for process in processes:
            process.join(max(0.0, min(5.0, deadline - time.monotonic())))
            if process.is_alive():
                process.kill()
                process.join()
    if expects_death:
        return [process.exitcode for process in processes]
    failures = [f"rank {rank}: {value}" for rank, (failed, value) in enumerate(answers) if failed]
    if failures:
        raise RankFailed("\n".join(failures))
    return [value for _, value in answers]


def _answer(pipe: Connection, deadline: float) -> tuple[bool, Any]:
    """Whether the rank failed, and its traceback or what it returned."""
    if not pipe.poll(max(0.0, deadline - time.monotonic())):
        return True, "did not end in time"
    try:
        answer: tuple[bool, Any] = pipe.recv()
    except EOFError:
        return True, "died"
    return answer


def _rank(
    rank: int,
    world_size: int,
    port: int,
    pipe: Connection,
    function: Callable[..., Any],
    args: tuple[Any, ...],
) -> None:
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world_size), LOCAL_WORLD_SIZE=str(world_size),
        GROUP_RANK="0", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), TORCHELASTIC_RUN_ID="tests",
    )  # fmt: skip
    try:
        pipe.send((False, function(*args)))
    except BaseException:
        pipe.send((True, traceback.format_exc()))
