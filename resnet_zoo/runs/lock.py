"""One process at a time owns a run directory. Standard library only.

The lock is a file made with ``O_CREAT | O_EXCL``, which local file systems and NFS from version 3 on make for exactly
one of several processes, without a lock server. It names its owner. An owner on this machine is looked up; one that is
not visible from here, on another node or in another container, is known to be alive by a counter that it raises in
the file, watched with our own clock: nobody compares the clocks of two machines, nor file times.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import secrets
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resnet_zoo.errors import InvalidValue
from resnet_zoo.runs.atomic import write_text_atomically

LOCK_FILE = ".lock"
BEAT_SECONDS = 10.0
"""How often an owner raises its counter."""
SILENT_SECONDS = 45.0
"""How long the counter of an owner that is out of sight must stand still until it is taken for dead."""
SCHEDULER_JOB = "SLURM_JOB_ID"


class RunDirectoryLock:
    """Held from ``acquire`` to ``release``, and by nobody once the process is gone.

    Args:
        folder: the run directory.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOCK_FILE
        self._owner = {**_this_process(), "token": secrets.token_hex(8), "beats": 0}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self) -> None:
        """Become the owner, in place of one that is dead if need be.

        Raises:
            InvalidValue: another process owns the directory; the message names it.
        """
        while not self._create():
            owner = _read(self.path)
            if owner is None:  # released in the meantime
                continue
            if _is_alive(owner, self.path):
                raise InvalidValue(
                    f"run directory '{self.path.parent}' is in use by process {owner.get('pid')} on "
                    f"{owner.get('host')} ({owner.get('command')}). Wait for it or stop it, or choose another "
                    "--run_dir."
                )
            self._remove(owner)
        self._thread = threading.Thread(target=self._beat, name="run-directory-lock", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Give the directory back, if it is still ours."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with contextlib.suppress(OSError):
            if self._is_ours():
                self.path.unlink()

    def _create(self) -> bool:
        try:
            descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(self._owner, file)
        except OSError as error:  # the disk is full: an empty file would look like somebody's
            self.path.unlink(missing_ok=True)
            error.filename = str(self.path)
            raise
        return True

    def _remove(self, dead: Mapping[str, Any]) -> None:
        """Take a dead owner's file away; of several processes that try, one succeeds."""
        aside = self.path.with_name(f"{LOCK_FILE}.{self._owner['token']}")
        try:
            self.path.rename(aside)
        except FileNotFoundError:
            return
        taken = _read(aside)
        if taken is not None and taken.get("token") != dead.get("token"):
            # Somebody was faster, and this is already the new owner's: give it back.
            with contextlib.suppress(OSError):
                self.path.hardlink_to(aside)
        aside.unlink(missing_ok=True)

    def _is_ours(self) -> bool:
        owner = _read(self.path)
        return owner is not None and owner.get("token") == self._owner["token"]

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            # A full disk must not stop the run; its owner is visible locally.
            with contextlib.suppress(OSError):
                if not self._is_ours():
                    return
                self._owner["beats"] += 1
                write_text_atomically(self.path, json.dumps(self._owner))


def _this_process() -> dict[str, Any]:
    return {
        "host": platform.node(),
        "place": _place(),
        "pid": os.getpid(),
        "started": _started(os.getpid()),
        "command": " ".join(sys.argv[:3])[:200],
        "job": os.environ.get(SCHEDULER_JOB),
    }


def _place() -> str:
    """What tells one boot of one machine, and one container on it, from another: where a process id has a meaning."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _started(pid: int) -> str | None:
    """When a process started, in ticks since the machine did: a number that was given out again differs in this."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _is_alive(owner: Mapping[str, Any], path: Path) -> bool:
    """Whether the owner is, as far as can be known from here; looks for up to ``SILENT_SECONDS``."""
    if owner.get("place") == _place():
        return _is_running(int(owner.get("pid", -1)), owner.get("started"))
    job = os.environ.get(SCHEDULER_JOB)
    if job is not None and owner.get("job") == job:
        return False  # a scheduler that starts a job again has ended it before, whatever node that was on
    print(
        f"'{path}' belongs to process {owner.get('pid')} on {owner.get('host')}: watching for {SILENT_SECONDS:g} s "
        "whether it is alive.",
        file=sys.stderr,
        flush=True,
    )
    until = time.monotonic() + SILENT_SECONDS
    while time.monotonic() < until:
        time.sleep(min(1.0, SILENT_SECONDS / 10))
        now = _read(path)
        if now is None or (now.get("token"), now.get("beats")) != (owner.get("token"), owner.get("beats")):
            return now is not None
    return False


def _is_running(pid: int, started: str | None) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    if started is not None and _started(pid) != started:
        return False
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False


def _read(path: Path) -> dict[str, Any] | None:
    """The owner that a lock file names; None without a file. One that is being written names nobody yet."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        owner = json.loads(text)
    except ValueError:
        owner = None
    return (
        owner if isinstance(owner, dict) else {"host": "a process that was just starting", "place": "unknown"}
    )
