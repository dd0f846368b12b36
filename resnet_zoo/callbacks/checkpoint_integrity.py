"""Whether a checkpoint is what was written, and which one a run continues from if its newest is not."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resnet_zoo.callbacks.checkpoint_io import read_checkpoint
from resnet_zoo.errors import InvalidValue, UserMistake
from resnet_zoo.runs import LAST, PREVIOUS

DAMAGED_SUFFIX = ".damaged"


@dataclass
class Choice:
    """The checkpoint that a run continues from.

    Attributes:
        path: the file; None where there is none at all.
        content: what is in it.
        damaged: the newer files that were passed over, each with what is wrong with it.
    """

    path: Path | None = None
    content: dict[str, Any] = field(default_factory=dict)
    damaged: dict[Path, str] = field(default_factory=dict)

    def notices(self) -> list[str]:
        """A sentence for each damaged file, for the user."""
        return [
            f"checkpoint '{path}' is damaged and was passed over: {reason}"
            for path, reason in self.damaged.items()
        ]


def newest_valid(folder: Path) -> Choice:
    """The newest checkpoint of a folder that can be read and whose checksums are right.

    ``last.ckpt`` and the one before it come first, in this order. Only if both are damaged are the others read, and
    the one with the most updates is taken. File times are not asked: a clock may have been set back.

    Args:
        folder: of the checkpoints; it may be missing.

    Raises:
        InvalidValue: there are checkpoints, and all of them are damaged; starting afresh would hide that.
    """
    choice = Choice()
    named = [folder / LAST, folder / PREVIOUS]
    for path in filter(Path.exists, named):
        try:
            choice.path, choice.content = path, read_checkpoint(path)
        except UserMistake as mistake:
            choice.damaged[path] = str(mistake)
        else:
            return choice
    choice.path = None
    others = sorted(path for path in folder.glob("*.ckpt") if path not in named) if choice.damaged else []
    for path in others:
        try:
            content = read_checkpoint(path)
        except UserMistake as mistake:
            choice.damaged[path] = str(mistake)
            continue
        if choice.path is None or content["global_step"] > choice.content["global_step"]:
            choice.path, choice.content = path, content
    if choice.damaged and choice.path is None:
        raise InvalidValue(
            f"no checkpoint in '{folder}' can be read. "
            + " ".join(choice.notices())
            + " Restore one from a copy, or move them away to start afresh."
        )
    return choice


def set_aside(damaged: dict[Path, str]) -> None:
    """Rename damaged files, so that they are kept for whoever wants to look and never taken for the one before."""
    for path in damaged:
        path.replace(path.with_name(path.name + DAMAGED_SUFFIX))
