"""Processes of a trial: each training with all that it starts, ended together. Standard library only."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from resnet_zoo.cli.signals import ended_by, held_back

CHILD = "resnet_zoo.cli.resume_trial_child"

Run = Callable[[list[str], Path], int]
"""Runs one training of a trial with these words, writes what it prints to that file, and returns its exit code, which
is negative if a signal ended it."""


def run_in_own_session(words: list[str], log: Path) -> int:
    """Run one training of a trial and wait for it; what it prints goes to a file.

    Its ranks and loader processes are in its session. They are killed once it is over, however that came about: a rank
    whose neighbour died would wait for it, and a terminal's Ctrl-C does not reach them.

    Args:
        words: for ``resume_trial_child``.
        log: is appended to.

    Returns:
        its exit code; that of a signal is negative.
    """
    command = [sys.executable, "-m", CHILD, *words]
    with (
        log.open("ab") as file,
        ended_by((signal.SIGTERM, signal.SIGHUP), lambda number: 128 + number),
    ):
        process: subprocess.Popen[bytes] | None = None
        try:
            with held_back((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)):
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            return process.wait()
        finally:
            if process is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
