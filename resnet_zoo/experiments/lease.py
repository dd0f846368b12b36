"""Who works on what, for processes and machines that share nothing but a folder. Standard library only.

A lease is a file; its last modification is its holder's last sign of life. Taking one means creating the file of the
next *term* exclusively, which only one process can do. A holder that gave no sign for too long is succeeded in the same
way, by the term after its own, so no file is ever taken away from under anybody. A holder that was only asleep sees its
successor when it wakes up.

``fit`` locks its run directory besides. That lock is for a user who starts a run twice: it takes its time to look
whether the owner lives. Here dozens of runs are looked through for one that is free, without waiting for any.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

HEARTBEAT_SECONDS = 10.0
MISSED_HEARTBEATS = 3
"""After so many a process that this machine does not know any more is taken for dead."""
STALE_SECONDS = 300.0
"""A holder that gave no sign of life for this long is taken for dead; a slow network file system needs minutes."""

_RELEASED = "released"


@dataclass(frozen=True)
class Holder:
    """Who holds, or held, a lease.

    Attributes:
        term: counts the holders of this lease, from 1.
        host: the machine.
        pid: the process on it.
        age: seconds since its last sign of life, by the clock of the file system.
        released: whether it gave the lease back.
    """

    term: int
    host: str
    pid: int
    age: float
    released: bool

    def is_gone(self, stale_seconds: float) -> bool:
        """Whether another may take over: given back, silent for too long, or a process of this machine that ended."""
        if self.released or self.age > stale_seconds:
            return True
        silent = self.age > MISSED_HEARTBEATS * HEARTBEAT_SECONDS  # two containers may have one host name
        return silent and self.host == platform.node() and not _is_running(self.pid)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, last seen {self.age:.0f} s ago"


class Lease:
    """The right to work on one thing, held until the block ends.

    While it is held, a thread renews it. ``lost`` turns true if another process took over in the meantime, which
    happens only to a holder that was suspended or cut off from the folder for longer than the time limit.

    Args:
        folder: of this lease alone; made if it is missing.
        term: which holder this is.
    """

    def __init__(self, folder: Path, term: int) -> None:
        self.folder, self.term = folder, term
        self.lost = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True, name=f"lease {folder.name}")

    @property
    def file(self) -> Path:
        """The file of this term."""
        return self.folder / f"{self.term}.json"

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if not self.lost:
            with contextlib.suppress(OSError):
                self.file.write_text(json.dumps({**_identity(), _RELEASED: True}), encoding="utf-8")

    def _renew(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(OSError):
                os.utime(self.file)
                if _newest_term(self.folder) > self.term:
                    self.lost = True
                    return


def take(folder: Path, stale_seconds: float = STALE_SECONDS) -> Lease | None:
    """Try to take a lease; None if a living holder has it, or another process was faster.

    Args:
        folder: of this lease alone.
        stale_seconds: how long a silent holder is waited for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    present = holder(folder)
    if present is not None and not present.is_gone(stale_seconds):
        return None
    lease = Lease(folder, (present.term if present else 0) + 1)
    try:
        with lease.file.open("x", encoding="utf-8") as file:
            file.write(json.dumps(_identity()))
    except FileExistsError:
        return None
    return lease


def holder(folder: Path) -> Holder | None:
    """The present or last holder of a lease; None if there never was one."""
    term = _newest_term(folder)
    if term == 0:
        return None
    file = folder / f"{term}.json"
    content: dict[str, Any] = {}
    with contextlib.suppress(ValueError):  # between being made and being written it is empty
        content = json.loads(file.read_text(encoding="utf-8"))
    age = _now_in(folder) - file.stat().st_mtime
    return Holder(
        term,
        content.get("host", "an unknown machine"),
        content.get("pid", 0),
        age,
        bool(content.get(_RELEASED)),
    )


def _newest_term(folder: Path) -> int:
    return max((int(file.stem) for file in folder.glob("*.json") if file.stem.isdecimal()), default=0)


def _now_in(folder: Path) -> float:
    """The time as the folder's file system has it, which need not be this machine's."""
    probe = folder / f".now-{platform.node()}-{os.getpid()}-{threading.get_ident()}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:
        return time.time()
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()


def _identity() -> dict[str, Any]:
    return {"host": platform.node(), "pid": os.getpid()}


def _is_running(pid: int) -> bool:
    if pid <= 0:
        return True  # unknown
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
