"""Argument parsers of the commands that Lightning does not parse. Standard library only."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Iterable
from typing import NoReturn

from resnet_zoo.errors import InvalidValue, nearest_names

_UNRECOGNIZED = re.compile(r"unrecognized arguments: (--[\w-]+)")


class CommandParser(argparse.ArgumentParser):
    """A parser that takes no abbreviations and raises a mistake as one message, with the nearest option.

    Args:
        command: the command's words after ``resnet-zoo``.
        description: what it does.
        example: a command line to imitate, shown at the end of the help.
    """

    def __init__(self, command: str, description: str, example: str) -> None:
        super().__init__(
            prog=f"resnet-zoo {command}",
            description=description,
            epilog=f"example: {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    @property
    def option_strings(self) -> Iterable[str]:
        """Every option of the command, as it is written."""
        return self._option_string_actions

    def error(self, message: str) -> NoReturn:
        """Raise the mistake instead of printing the usage.

        Raises:
            InvalidValue: always.
        """
        unrecognized = _UNRECOGNIZED.match(message)
        if unrecognized:
            nearest = nearest_names(unrecognized[1], self.option_strings, count=1)
            message += f". Did you mean {nearest[0]!r}?" if nearest else "."
        raise InvalidValue(
            f"{self.prog}: {message.removesuffix('.')}. See '{self.prog} --help'.".replace("?.", "?")
        )


def positive_int(text: str) -> int:
    """The type of an option that counts something: a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def natural_int(text: str) -> int:
    """The type of an option that counts something of which there may be none."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def positive_float(text: str) -> float:
    """The type of an option for an amount: a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def add_checkpoint_options(parser: argparse.ArgumentParser) -> None:
    """How a command takes the checkpoint that it reads: which of its weights, and whether its code may run."""
    parser.add_argument("--backbone", help="import path of a backbone of one's own that the checkpoint names")
    parser.add_argument(
        "--weights",
        choices=("raw", "ema"),
        help="of a checkpoint that holds both: those that were trained or their moving average; by default those that "
        "the run's checkpoint.monitor scores",
    )
