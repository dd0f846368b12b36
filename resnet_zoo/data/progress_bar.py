"""How far a command is that goes through many files: one line on a terminal, a line every tenth elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

REDRAWN_AFTER = 0.2  # seconds
WIDTH = 30
TENTHS = 10


class ProgressBar:
    """Counts up to a total, on standard error.

    Args:
        what: is counted, for example "images".
        total: how many there are.
        stream: where to write; None for standard error.
        quiet_seconds: say nothing before so many seconds have passed.
    """

    def __init__(
        self, what: str, total: int, stream: TextIO | None = None, quiet_seconds: float = 0.0
    ) -> None:
        self.what = what
        self.total = total
        self.stream = stream or sys.stderr
        self.done = 0
        self._began = self._drawn = time.monotonic()
        self._tenth = 0
        self._quiet_until = self._began + quiet_seconds

    def advance(self, count: int) -> None:
        """Say that so many more are done."""
        self.done += count
        now = time.monotonic()
        finished = self.done >= self.total
        if now < self._quiet_until:
            return
        if self.stream.isatty():
            if now - self._drawn >= REDRAWN_AFTER or finished:
                self._drawn = now
                filled = WIDTH * self.done // max(1, self.total)
                end = "\n" if finished else ""
                self._write(f"\r[{'#' * filled:<{WIDTH}}] {self._text(now)}  {end}")
        elif (tenth := TENTHS * self.done // max(1, self.total)) > self._tenth:
            self._tenth = tenth
            self._write(f"{self._text(now)}\n")

    def _text(self, now: float) -> str:
        seconds = max(now - self._began, 1e-9)
        return f"{self.done:,} of {self.total:,} {self.what}, {self.done / seconds:,.0f} per second"

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()
