"""How much memory a process may still take, and how much this one has. Standard library only."""

from __future__ import annotations

from pathlib import Path

MEMORY = Path("/proc/meminfo")
GROUP = Path("/sys/fs/cgroup")


def free_memory() -> int | None:
    """Bytes that Linux can give without swapping, or that the container's limit leaves, if that is less; else None."""
    if not MEMORY.exists():
        return None
    lines = dict(line.split(":") for line in MEMORY.read_text().splitlines() if ":" in line)
    # Of kernels that do not say it: older than 3.14.
    if "MemAvailable" not in lines:
        return None
    available = 1024 * int(lines["MemAvailable"].split()[0])
    left = _left_by_the_container()
    return available if left is None else min(available, left)


def resident_memory() -> int | None:
    """Bytes of memory that this process has at present; None where Linux does not say it."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmRSS:")), None)


def _left_by_the_container() -> int | None:
    """Bytes up to the limit of control group 2; file pages that nobody uses are given up for others."""
    try:
        limit = (GROUP / "memory.max").read_text().strip()
        used = int((GROUP / "memory.current").read_text())
        statistics = dict(line.split() for line in (GROUP / "memory.stat").read_text().splitlines())
    except OSError:
        return None
    return None if limit == "max" else max(0, int(limit) - used + int(statistics.get("inactive_file", 0)))
