"""How many cores there are to use. Standard library only."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Cores that this process may run on, which in a container or a batch job are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
