"""Signals that end what is going on like an exception, and moments in which none may. Standard library only."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType


@contextlib.contextmanager
def ended_by(signals: Sequence[signal.Signals], exit_code: Callable[[int], int]) -> Iterator[None]:
    """Each of these signals unwinds the stack of the block, so that nothing is left behind.

    Elsewhere than in the first thread, signals cannot be caught, and the block runs as it is.

    Args:
        signals: which ones.
        exit_code: the process's, for a signal's number.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(exit_code(number))

    before = {number: signal.signal(number, stop) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def held_back(signals: Sequence[signal.Signals]) -> Iterator[None]:
    """These signals come when the block is over, so that it happens as a whole.

    A process that is started and not yet noted anywhere would outlive whoever was interrupted in between.

    Args:
        signals: which ones.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, frame: came.append(number)) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for arrived in came:
            signal.raise_signal(arrived)
