"""From a parsed config to what it describes."""

from __future__ import annotations

from typing import Any

from jsonargparse import Namespace
from lightning.pytorch.cli import LightningArgumentParser

from resnet_zoo.errors import UserMistake


def build(parser: LightningArgumentParser, config: Namespace) -> Namespace:
    """Instantiate what a config describes; a mistake that a constructor raised comes out as it was raised.

    jsonargparse wraps what constructors raise into an error about types, which hides the sentence that matters.
    """
    try:
        built: Namespace = parser.instantiate(config)
    except UserMistake:
        raise
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, UserMistake):
                raise cause from None
            cause = cause.__cause__ or cause.__context__
        raise
    return built


def as_list(value: Any) -> list[Any]:
    """What a config gives once, several times or not at all."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
