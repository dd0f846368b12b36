"""Writing checkpoints so that a file is whole or absent, and reading them so that nothing in them runs."""

from __future__ import annotations

import errno
import lzma
import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO

from resnet_zoo.errors import InvalidValue, MissingData
from resnet_zoo.runs import LAST, PREVIOUS, replacing, why_not_written
from resnet_zoo.runs.atomic import PART_SUFFIX
from resnet_zoo.safe_load import load_plain


class CheckpointNotWritten(RuntimeError):
    """A checkpoint could not be written: no room, no permission, a broken disk. The one before it is untouched."""


class AtomicCheckpointIO(CheckpointIO):
    """Saves through a temporary file in the same folder, fsync and rename; loads tensors and plain types only.

    Lightning's own writer stages the file in ``$TMPDIR`` and copies it over the old one when that is another file
    system: killed in between, or with the disk full, it leaves no usable checkpoint at all.

    Attributes:
        failure: why the last file was not written, None if it was. Only the rank that writes knows; raising there
            would leave the others waiting for it, so that ``Checkpoints`` asks and all ranks decide together.
    """

    def __init__(self) -> None:
        self.failure: CheckpointNotWritten | None = None

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write the file, or leave the old one as it was and say why in ``failure``; the last becomes the previous."""
        target = Path(path)
        self.failure = None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target) as file:
                torch.save(checkpoint, file)
                if target.name == LAST and target.exists():
                    _keep_as(target, target.with_name(PREVIOUS))
        except (OSError, RuntimeError) as error:
            if not isinstance(error, OSError) and "inline_container" not in str(error):
                raise
            self.failure = CheckpointNotWritten(f"'{target}' was not written: {_reason(error)}")
            self.failure.__cause__ = error

    def load_checkpoint(
        self, path: Any, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint onto the CPU, plain types only whatever is asked for; see ``read_checkpoint``."""
        return read_checkpoint(Path(path), map_location)

    def remove_checkpoint(self, path: Any) -> None:
        """Delete one file."""
        Path(path).unlink(missing_ok=True)


def _keep_as(path: Path, name: Path) -> None:
    """Give a file a second name, in place of what had it; a file system without links gets the name alone."""
    temporary = name.with_name(f".{name.name}.{os.getpid()}{PART_SUFFIX}")
    temporary.unlink(missing_ok=True)
    try:
        temporary.hardlink_to(path)
    except OSError:
        path.replace(name)
    else:
        temporary.replace(name)


def _reason(error: BaseException) -> str:
    why = why_not_written(error)
    if why is None and "inline_container" in str(error):
        # torch's archive writer, which may hide the system's words
        why = "no space is left on the disk"
    return f"{why or getattr(error, 'strerror', None) or error}."


_SIGNS_OF_DAMAGE = (
    zipfile.BadZipFile,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)
"""What Python's reader of archives raises where it meets what nobody wrote: a directory that names other places, sizes
or kinds of compression than there are.
"""


def _damaged(error: Exception) -> str:
    return f"it is cut short or its directory is damaged ({error})"


def checksum_mistake(path: Path) -> str | None:
    """What the checksums say against a file that torch wrote; None if every byte of its content is as written.

    The file is a zip archive whose every record carries a CRC-32. torch writes it and never looks at it again, so
    that a flipped bit in a weight would load without a word.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except _SIGNS_OF_DAMAGE as error:
        return _damaged(error)
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):
            raise
        # A place before the file's beginning, or a stream that only claims to be compressed.
        return _damaged(error)
    return (
        None
        if broken is None
        else f"the content of its record '{broken.partition('/')[2]}' is not what was written"
    )


def read_checkpoint(path: Path, map_location: Any | None = None) -> dict[str, Any]:
    """Read a checkpoint of tensors and plain types.

    Raises:
        MissingData: there is no such file.
        InvalidValue: the file is cut short or altered, is no checkpoint, or holds pickled objects, which would run.
    """
    if not path.is_file():
        raise MissingData(f"no checkpoint at '{path}'.")
    if _is_archive(path) and (mistake := checksum_mistake(path)):
        raise InvalidValue(f"'{path}' cannot be read as a checkpoint: {mistake}.")
    checkpoint = load_plain(
        path,
        f"checkpoint '{path}'",
        "Checkpoints here hold tensors and plain types only.",
        map_location or "cpu",
    )
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise InvalidValue(f"'{path}' is no checkpoint of a training run: it has no 'state_dict'.")
    return checkpoint


def _is_archive(path: Path) -> bool:
    """Whether the file begins as torch's archives do; those of torch before 1.6 carry no checksums."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"
