"""Who works on what, for processes and machines that share nothing but a folder. Standard library only.

A lease is a file that its holder touches again and again. Taking one means creating the file of the next *term*
exclusively, which only one process can do. A holder that is gone is succeeded in the same way, by the term after its
own, so no file is ever taken away from under anybody. A holder that was only asleep sees its successor when it wakes.

Whether a holder in sight of this process is gone, the system knows. Of one on another machine it shows in that its file
is not touched any more while somebody watches it, by the watcher's own clock: what time a file system thinks it is may
jump, and differ from machine to machine.

``fit`` locks its run directory besides. That lock is for a user who starts a run twice: it takes its time to look
whether the owner lives. Here dozens of runs are looked through for one that is free, without waiting for any.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from resnet_zoo.runs.processes import is_running, place, this_process

HEARTBEAT_SECONDS = 10.0
SILENT_SECONDS = 60.0
"""A holder out of sight that gave no sign of life for so long, while it was watched, is taken for dead."""

_RELEASED = "released"


@dataclass(frozen=True)
class Holder:
    """Who holds, or held, a lease.

    Attributes:
        term: counts the holders of this lease, from 1.
        process: what ``this_process`` said of it; empty between the moments when the file is made and written.
        sign: changes with every sign of life, and means nothing else.
        released: whether it gave the lease back.
    """

    term: int
    process: dict[str, Any]
    sign: tuple[int, int]
    released: bool

    def __str__(self) -> str:
        return f"process {self.process.get('pid', '?')} on {self.process.get('host', 'an unknown machine')}"


class Watch:
    """Tells which holders are gone.

    A holder out of sight is gone once it was silent for long enough. Only time between looks that are not far apart
    counts: whoever waited minutes for the file system does not hold it against a holder that waited as well.

    Args:
        silent_seconds: what is long enough.
    """

    def __init__(self, silent_seconds: float = SILENT_SECONDS) -> None:
        self.silent_seconds = silent_seconds
        self._silences: dict[Path, tuple[tuple[int, int], float, float]] = {}

    def is_gone(self, folder: Path, present: Holder) -> bool:
        """Whether another may take over: given back, ended before our eyes, or silent for too long.

        Args:
            folder: of the lease.
            present: its holder, as it was just read.
        """
        process = present.process
        if present.released:
            return True
        if process.get("started") is not None and process["place"] == place():
            return not is_running(process["pid"], process["started"])
        now = time.monotonic()
        sign, last_look, silence = self._silences.get(folder, (None, now, 0.0))
        silence = silence + min(now - last_look, HEARTBEAT_SECONDS) if sign == present.sign else 0.0
        self._silences[folder] = (present.sign, now, silence)
        return silence > self.silent_seconds


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
                self.file.write_text(json.dumps({**this_process(), _RELEASED: True}), encoding="utf-8")

    def _renew(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(OSError):
                os.utime(self.file)
                if _newest_term(self.folder) > self.term:
                    self.lost = True
                    return


def take(folder: Path, watch: Watch) -> Lease | None:
    """Try to take a lease; None if a living holder has it, or another process was faster.

    Args:
        folder: of this lease alone.
        watch: of whoever takes leases; it remembers for how long holders have been silent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    present = holder(folder)
    if present is not None and not watch.is_gone(folder, present):
        return None
    lease = Lease(folder, (present.term if present else 0) + 1)
    try:
        with lease.file.open("x", encoding="utf-8") as file:
            file.write(json.dumps(this_process()))
    except FileExistsError:
        return None
    return lease


def holder(folder: Path) -> Holder | None:
    """The present or last holder of a lease; None if there never was one."""
    term = _newest_term(folder)
    if term == 0:
        return None
    # Opened first: a network file system then asks the server, instead of remembering what the file was like.
    with (folder / f"{term}.json").open(encoding="utf-8") as file:
        changed = os.fstat(file.fileno()).st_mtime_ns
        try:
            process: dict[str, Any] = json.load(file)
        except ValueError:
            process = {}
    return Holder(term, process, (term, changed), bool(process.pop(_RELEASED, False)))


def _newest_term(folder: Path) -> int:
    return max((int(file.stem) for file in folder.glob("*.json") if file.stem.isdecimal()), default=0)
