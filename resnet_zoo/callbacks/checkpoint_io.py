"""Writing checkpoints so that a file is whole or absent, and reading them so that nothing in them runs."""

from __future__ import annotations

import errno
import pickle
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch
from lightning.fabric.plugins import CheckpointIO

from resnet_zoo.errors import InvalidValue, MissingData
from resnet_zoo.runs import replacing


class DiskFull(RuntimeError):
    """There was no room for a checkpoint; the one before it is untouched."""


class AtomicCheckpointIO(CheckpointIO):
    """Saves through a temporary file in the same folder, fsync and rename; loads tensors and plain types only.

    Lightning's own writer stages the file in ``$TMPDIR`` and copies it over the old one when that is another file
    system: killed in between, or with the disk full, it leaves no usable checkpoint at all.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write the file, or leave the old one as it was.

        Raises:
            DiskFull: no space is left.
            PermissionError: the folder cannot be written to.
        """
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with replacing(target) as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:
            if getattr(error, "errno", None) == errno.ENOSPC or "inline_container" in str(error):
                raise DiskFull(
                    f"no space left to write '{target}'; the checkpoint before it is untouched."
                ) from error
            raise

    def load_checkpoint(
        self, path: Any, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint onto the CPU, plain types only whatever is asked for; see ``read_checkpoint``."""
        return read_checkpoint(Path(path), map_location)

    def remove_checkpoint(self, path: Any) -> None:
        """Delete one file."""
        Path(path).unlink(missing_ok=True)


def read_checkpoint(path: Path, map_location: Any | None = None) -> dict[str, Any]:
    """Read a checkpoint of tensors and plain types.

    Raises:
        MissingData: there is no such file.
        InvalidValue: the file is cut short, is no checkpoint, or holds pickled objects, which would run code.
    """
    if not path.is_file():
        raise MissingData(f"no checkpoint at '{path}'.")
    try:
        checkpoint = torch.load(path, map_location=map_location or "cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InvalidValue(
            f"'{path}' was not loaded: it is damaged or holds pickled Python objects, which can run code when loaded. "
            "Checkpoints here hold tensors and plain types only."
        ) from error
    except (RuntimeError, EOFError, BadZipFile, OSError, ValueError) as error:
        raise InvalidValue(
            f"'{path}' cannot be read as a checkpoint: {str(error).splitlines()[0]}"
        ) from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise InvalidValue(f"'{path}' is no checkpoint of a training run: it has no 'state_dict'.")
    return checkpoint
