"""Signals that ask a training to stop: noted when they come, answered where the state is whole."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

STOPPING = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
"""What schedulers send before they take the machine away, what they are asked to send earlier, and Ctrl-C."""


class Stopped(Exception):
    """A signal stopped the run; whatever was to be saved is saved.

    Args:
        number: the signal, whichever rank got it.
        checkpoint: the file that was written, None if there was nothing to save.
        step: optimizer updates made.
        epoch: the epoch in progress.
    """

    def __init__(
        self,
        number: signal.Signals,
        checkpoint: str | None = None,
        step: int | None = None,
        epoch: int | None = None,
    ) -> None:
        self.signal, self.checkpoint, self.step, self.epoch = number, checkpoint, step, epoch
        super().__init__(f"Stopped by {number.name}")


class StopSignals:
    """Takes SIGTERM, SIGUSR1 and SIGINT while it is entered.

    A handler may run between any two operations of Python, in the middle of an update or of a collective of the
    ranks, so that it only notes the signal while ``deferred``; whoever trains looks at ``received`` where the state is
    whole. Where nothing is at stake it raises ``Stopped`` at once. A second Ctrl-C always interrupts. Schedulers send
    their signals more than once; when the run is ``settled``, they change nothing any more.

    Args:
        speaks: whether this process tells the user that the signal came; one of several ranks does.

    Attributes:
        received: the first signal that came.
        deferred: whether somebody looks at ``received`` soon.
        settled: whether it is decided how the run ends, and only to be written down.
    """

    def __init__(self, speaks: bool = True) -> None:
        self.speaks = speaks
        self.received: signal.Signals | None = None
        self.deferred = False
        self.settled = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():  # handlers can be set from nowhere else
            self._before = {number: signal.signal(number, self._note) for number in STOPPING}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        again = self.received is not None
        self.received = self.received or signal.Signals(number)
        if number == signal.SIGINT and again:
            raise KeyboardInterrupt
        if self.settled:
            return
        if not self.deferred:
            raise Stopped(self.received)
        if self.speaks and not again:
            more = " Ctrl-C once more stops at once." if number == signal.SIGINT else ""
            line = f"\n{self.received.name}: stopping after the update or validation at hand, and saving.{more}\n"
            with contextlib.suppress(OSError):
                os.write(2, line.encode())  # not print: the signal may have come in the middle of one
