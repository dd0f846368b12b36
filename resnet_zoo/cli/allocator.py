"""Keep glibc from giving the memory of a step back, to fetch it again in the next one. Standard library only."""

from __future__ import annotations

import ctypes
import os

# From malloc.h: which setting a number means.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
SETTINGS = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 64 * 2**20))

OWN_CHOICES = (
    "GLIBC_TUNABLES",
    "MALLOC_MMAP_MAX_",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "LD_PRELOAD",
)
"""Environment variables with which somebody has chosen an allocator, or its settings, already."""


def keep_memory() -> str:
    """Let this process keep what it frees, for the next step's activations.

    By default glibc maps every large block on its own and unmaps it when it is freed: each step of a training then
    takes thousands of page faults. To be called before the first large allocation; a second call changes nothing. It
    changes where numbers lie and no number.

    Returns:
        what was done, or why nothing was, for people.
    """
    chosen = [name for name in OWN_CHOICES if os.environ.get(name)]
    if chosen:
        return f"memory: as {' and '.join(chosen)} in the environment says"
    library = _glibc()
    if library is None:
        return "memory: the system's allocator as it is, since it is not glibc's"
    taken = [library.mallopt(setting, value) for setting, value in SETTINGS]
    if all(taken):
        return "memory: freed blocks are kept for the next step"
    return "memory: glibc's allocator as it is, since it refused the settings"


def _glibc() -> ctypes.CDLL | None:
    """The C library of this process, if it is glibc."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):  # TypeError: on Windows there is no library without a name
        return None
    return library if hasattr(library, "gnu_get_libc_version") and hasattr(library, "mallopt") else None
