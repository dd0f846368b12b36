"""One process at a time owns a run directory. Standard library only.

The lock is a file that names its owner. It is written under another name and then gets its own as a second one
(``os.link``), which local file systems and NFS do for exactly one of several processes, without a lock server. So
nobody ever finds it without a name, however long its owner stalls while it takes the directory. Only where a file
system has no hard links is the file made empty (``O_CREAT | O_EXCL``) and then written.

An owner on this machine is looked up; one that is not visible from here, on another node or in another container, is
known to be alive by a counter that it raises in the file, watched with our own clock: nobody compares the clocks of two
machines, nor file times.

A dead owner's file stays: its successor makes, just as exclusively, a file with the dead one's token in its name. The
present owner is at the end of that chain. Taking the dead file away instead would take away, now and then, the file of
somebody who had just done the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from resnet_zoo.errors import InvalidValue
from resnet_zoo.runs.atomic import PART_SUFFIX, write_text_atomically
from resnet_zoo.runs.processes import is_running, place, this_process

LOCK_FILE = ".lock"
BEAT_SECONDS = 10.0
"""How often an owner raises its counter."""
SILENT_SECONDS = 45.0
"""How long the counter of an owner that is out of sight must stand still until it is taken for dead."""
LOOKS = 45
"""So often it is looked at in that time."""
SCHEDULER_JOB = "SLURM_JOB_ID"
Owner = Mapping[str, Any]


class RunDirectoryLock:
    """Held from ``acquire`` to ``release``, and by nobody once the process is gone.

    Args:
        folder: the run directory.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOCK_FILE
        self._owner = {
            **this_process(),
            "command": " ".join(sys.argv[:3])[:200],
            "job": os.environ.get(SCHEDULER_JOB),
            "token": secrets.token_hex(8),
            "beats": 0,
        }
        self._files: list[Path] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self) -> None:
        """Become the owner, as the successor of one that is dead if need be.

        Raises:
            InvalidValue: another process owns the directory; the message names it. Or two died before they had
                written their names, and only people know whether nobody is left.
        """
        while True:
            chain = self._chain()
            if chain:
                path, owner = chain[-1]
                if _is_alive(owner, path):
                    raise InvalidValue(
                        f"run directory '{self.path.parent}' is in use by process {owner.get('pid')} on "
                        f"{owner.get('host')} ({owner.get('command')}). Wait for it or stop it, or choose another "
                        "--run_dir."
                    )
                if self._file_after(owner) == path:
                    raise InvalidValue(
                        f"run directory '{self.path.parent}': two processes in a row ended while they took it. If "
                        f"nothing trains there, delete '{self.path}' and '{path}'."
                    )
            if self._join(chain):
                break
        self._thread = threading.Thread(target=self._beat, name="run-directory-lock", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Give the directory back, if it is still ours."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with contextlib.suppress(OSError):
            if self._is_at_the_end():
                for path in self._files:  # the first goes first: without it there is no chain
                    path.unlink()

    def owner(self) -> Owner | None:
        """What the present owner wrote of itself, whether it lives or not; None without one."""
        chain = self._chain()
        return chain[-1][1] if chain else None

    def _chain(self) -> list[tuple[Path, Owner]]:
        """Every owner and its file: the first, its successor, and so on."""
        chain = []
        path = self.path
        while (owner := _read(path)) is not None:
            chain.append((path, owner))
            before, path = path, self._file_after(owner)
            if path == before:  # two in a row that name nobody
                break
        return chain

    def _file_after(self, owner: Owner) -> Path:
        return self.path.with_name(f"{LOCK_FILE}.{owner.get('token')}")

    def _join(self, chain: Sequence[tuple[Path, Owner]]) -> bool:
        """Become the end of a chain that is free, if nobody else did in the meantime."""
        path = self._file_after(chain[-1][1]) if chain else self.path
        if not self._create(path):
            return False
        self._files = [*(file for file, _ in chain), path]
        if self._is_at_the_end():
            return True
        path.unlink()  # the chain was given back before our file was made
        return False

    def _create(self, path: Path) -> bool:
        """Make our file, if nobody else has made one of that name."""
        temporary = path.with_name(f".{path.name}.{self._owner['token']}{PART_SUFFIX}")
        self._write(temporary, path)
        try:
            os.link(temporary, path)
        except FileNotFoundError:
            # An owner that came in between has cleared away what it took for a dead one's.
            return False
        except FileExistsError:
            pass
        except OSError:
            # No hard links; every file system has its own number for that.
            with contextlib.suppress(FileExistsError):
                self._write(path, path)
        finally:
            temporary.unlink(missing_ok=True)
        # The file itself is asked: over NFS the answer to a request that was granted may be lost.
        return bool((_read(path) or {}).get("token") == self._owner["token"])

    def _write(self, file: Path, named: Path) -> None:
        """Make a file that is not there yet, with our name in it; an error is about the lock file that it is for."""
        try:
            with file.open("x", encoding="utf-8") as text:
                json.dump(self._owner, text)
        except FileExistsError:
            raise
        except OSError as error:
            # The disk is full: an empty file would look like somebody's.
            file.unlink(missing_ok=True)
            error.filename = str(named)
            raise

    def _is_at_the_end(self) -> bool:
        owner = self.owner()
        return owner is not None and owner.get("token") == self._owner["token"]

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            # A full disk must not stop the run; its owner is visible locally.
            with contextlib.suppress(OSError):
                if not self._is_at_the_end():
                    return
                self._owner["beats"] += 1
                write_text_atomically(self._files[-1], json.dumps(self._owner))


def _is_alive(owner: Owner, path: Path) -> bool:
    """Whether the owner is, as far as can be known from here; looks for up to ``SILENT_SECONDS``."""
    if owner.get("place") == place():
        return is_running(int(owner.get("pid", -1)), owner.get("started"))
    job = os.environ.get(SCHEDULER_JOB)
    if job is not None and owner.get("job") == job:
        return False  # a scheduler that starts a job again has ended it before, whatever node that was on
    print(
        f"'{path}' belongs to process {owner.get('pid')} on {owner.get('host')}: watching for {SILENT_SECONDS:g} s "
        "whether it is alive.",
        file=sys.stderr,
        flush=True,
    )
    # Counted in looks and not by the clock: a process that was stopped itself has not watched in the meantime.
    for _ in range(LOOKS):
        time.sleep(SILENT_SECONDS / LOOKS)
        now = _read(path)
        if now is None or (now.get("token"), now.get("beats")) != (owner.get("token"), owner.get("beats")):
            return now is not None
    return False


def _read(path: Path) -> Owner | None:
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
