"""The one door through which files of ``torch.save`` come in: tensors and plain types, and nothing that runs."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import torch

from resnet_zoo.errors import InvalidValue

ADVICE = "Save only the weights: torch.save(model.state_dict(), path)."


def load_plain(path: Path, described: str, advice: str = ADVICE, map_location: Any = "cpu") -> Any:
    """What ``torch.save`` wrote, as far as it is made of tensors and plain types.

    A file of ``torch.save`` is a pickle, and a pickle is a program: it may name any function of any package and have
    it called. Here only what rebuilds tensors, numbers, texts and containers is; the rest is refused before it runs.

    Args:
        path: the file.
        described: how messages begin, such as ``weights file 'a.pth'``.
        advice: what to do about a file that carries objects.
        map_location: the device that tensors go to.

    Raises:
        InvalidValue: anything else is in the file, or it cannot be read.
    """
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"(?:GLOBAL|global|class) ([\w.]+\.[\w.]+)", str(error))
        if found:
            raise InvalidValue(
                f"{described} carries pickled objects ({found[1]}), which could run any code while they are loaded; "
                f"it was refused. {advice}"
            ) from error
        raise unreadable(path, described, error) from error
    except Exception as error:  # torch raises RuntimeError, EOFError, KeyError and more for damaged files
        raise unreadable(path, described, error) from error


def unreadable(path: Path, described: str, error: Exception) -> InvalidValue:
    """The error for a file that is damaged, cut short or of another format."""
    reason = (str(error).splitlines() or [""])[0]
    return InvalidValue(
        f"{described} ({path.stat().st_size:,} bytes) cannot be read: it is damaged, cut short or no file of "
        f"torch.save ({type(error).__name__}: {reason[:200]}). Copy or download it again."
    )
