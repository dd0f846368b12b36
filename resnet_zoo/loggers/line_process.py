"""A helper process that is told things and never waited for, except at its end and then for a bounded time."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

Ending = Literal["finished", "failed", "ended"]

LARGEST_BACKLOG = 16 * 2**20
"""Bytes kept for a process that does not read, some fifty thousand rows; what comes after is dropped and counted."""
TERMINATION = 3.0
"""Seconds between asking a process to end and ending it."""


class LineProcess:
    """Sends JSON lines to a process and receives JSON lines from it, without ever blocking.

    A pipe holds only so much. What it does not take is kept here and offered again at the next opportunity, so a
    process that is slow, stuck or gone costs memory, up to a limit, and no time.

    Args:
        command: the program and its arguments. It starts in a session of its own: Ctrl-C does not reach it.

    Raises:
        OSError: the process cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.dropped = 0
        self._backlog = bytearray()
        self._received = bytearray()
        self._owner = os.getpid()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        for pipe in (self._input, self._output):
            os.set_blocking(pipe.fileno(), False)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def send(self, message: Mapping[str, Any]) -> None:
        """Hand over one message, or keep it until the process reads; drop it where too much is kept already."""
        line = json.dumps(message).encode() + b"\n"
        if len(self._backlog) + len(line) > LARGEST_BACKLOG:
            self.dropped += 1
        else:
            self._backlog += line
        self._push()

    def receive(self) -> list[dict[str, Any]]:
        """The messages that have arrived since the last call."""
        while True:
            try:
                part = os.read(self._output.fileno(), 65536)
            except BlockingIOError:
                break
            if not part:
                break
            self._received += part
        *lines, rest = bytes(self._received).split(b"\n")
        self._received = bytearray(rest)
        return [json.loads(line) for line in lines]

    def close(self, seconds: float) -> tuple[Ending, list[dict[str, Any]]]:
        """Hand over what is kept, close the process's input and wait for its end; end it when the time is over.

        Returns:
            "finished" if it took everything and ended well, "failed" if it ended by itself otherwise, "ended" if it
            had to be; and the messages that it still sent.
        """
        deadline = time.monotonic() + seconds
        messages: list[dict[str, Any]] = []
        while self._backlog and self._process.poll() is None and time.monotonic() < deadline:
            select.select([self._output], [self._input], [], 0.1)
            messages += self.receive()
            self._push()
        took_everything = not self._backlog
        with contextlib.suppress(OSError):  # the process is gone
            self._input.close()
        while self._process.poll() is None and time.monotonic() < deadline:
            select.select([self._output], [], [], 0.1)
            messages += self.receive()
            time.sleep(0.01)
        ending = self._end()
        messages += self.receive()
        self._output.close()
        return ("failed" if ending == "finished" and not took_everything else ending), messages

    def _push(self) -> None:
        while self._backlog:
            try:
                written = os.write(self._input.fileno(), self._backlog[:65536])
            except BlockingIOError:
                return
            except OSError:  # the process is gone; 'close' says so
                self._backlog.clear()
                return
            del self._backlog[:written]

    def _end(self) -> Ending:
        """End the process if it has not ended by itself."""
        if self._process.poll() is not None:
            return "finished" if self._process.returncode == 0 else "failed"
        self._process.terminate()
        try:
            self._process.wait(TERMINATION)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return "ended"
