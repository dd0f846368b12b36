"""Files that are either the old one or the new one, never half of either, whatever happens while writing."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

PART_SUFFIX = ".part"
"""A file that ends so is an unfinished write of a process that is running or was killed."""

_REFUSALS = {
    errno.ENOSPC: "no space is left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
}


def why_not_written(error: BaseException) -> str | None:
    """Why the disk took no more, in words; None for an error of another kind.

    Args:
        error: an ``OSError``, or one of a library that passes on only the system's words.
    """
    if isinstance(error, OSError):
        return _REFUSALS.get(error.errno or 0)
    return next((why for number, why in _REFUSALS.items() if os.strerror(number) in str(error)), None)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``; what is written there takes its place when the block ends without an error.

    The content reaches the disk before the name changes, and the name before the block ends, so that a power cut
    leaves one whole file. After an error the temporary file is removed and the old file is untouched.

    Args:
        path: the file to create or replace; its folder must exist.

    Raises:
        OSError: the folder is missing or not writable, or the disk is full; it names ``path``.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{PART_SUFFIX}")
    try:
        yield temporary
        _synchronise(temporary)
        temporary.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None
        raise
    _synchronise(path.parent)


def sweep_unfinished(folder: Path) -> list[Path]:
    """Remove what killed processes left of files they were writing; nobody else may be writing there.

    Args:
        folder: looked through without its subfolders; it may be missing.

    Returns:
        what was removed.
    """
    found = sorted(folder.glob(f".*{PART_SUFFIX}"))
    for path in found:
        path.unlink(missing_ok=True)
    return found


def write_text_atomically(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 in place of ``path``; see ``replacing``."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _synchronise(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
