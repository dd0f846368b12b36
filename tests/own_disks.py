"""A real file system of a few hundred kilobytes for a test, which can become full or read-only.

It is mounted in a mount namespace of its own, so that it is seen by one process only and gone with it.
"""

from __future__ import annotations

import ctypes
import functools
import os
import subprocess
from pathlib import Path

from tests.ranks import run_on_ranks

CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000


def mount_own_disk(folder: Path, kilobytes: int) -> None:
    """Put an empty file system at ``folder``; to be called in a process of its own."""
    kinds = CLONE_NEWNS if os.geteuid() == 0 else CLONE_NEWNS | CLONE_NEWUSER
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(kinds):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    _mount("--make-rprivate", "/")
    _mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder))


def make_read_only(folder: Path) -> None:
    """Nothing can be written there from now on."""
    _mount("-o", "remount,ro", str(folder))


def fill(folder: Path) -> Path:
    """Leave not a block free; the file that does so is returned, to be removed when there is to be room again."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue
    return filler


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


@functools.cache
def why_none() -> str | None:
    """Why no such file system can be had here; None where it can."""
    return str(run_on_ranks(1, _try)[0] or "") or None


def _try() -> str:
    try:
        mount_own_disk(Path("/mnt"), 16)
    except (OSError, subprocess.CalledProcessError, AttributeError) as error:
        return f"no file system can be mounted here: {error}"
    return ""
