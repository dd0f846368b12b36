"""Which process wrote a file, and whether it still lives, as far as can be told from here. Standard library only."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path
from typing import Any


def this_process() -> dict[str, Any]:
    """What tells this process from all others: host, place, process id and when it started; plain types."""
    return {"host": platform.node(), "place": place(), "pid": os.getpid(), "started": _started(os.getpid())}


def place() -> str:
    """What tells one boot of one machine, and one container on it, from another: where a process id has a meaning."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def is_running(pid: int, started: str | None) -> bool:
    """Whether a process of this place lives.

    Args:
        pid: its id.
        started: when it did, as ``this_process`` says; None where that is not known.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    if started is not None and _started(pid) != started:
        return False
    return not _is_zombie(pid)


def _started(pid: int) -> str | None:
    """When a process started, in ticks since the machine did: a number that was given out again differs in this."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _is_zombie(pid: int) -> bool:
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False
