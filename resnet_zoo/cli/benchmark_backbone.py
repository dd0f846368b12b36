"""Which backbone a benchmark is of: ``--backbone NAME`` or the name as a word, and its arguments among the other words.

Standard library only: a name that is missing, or given twice, is told before torch is imported.
"""

from __future__ import annotations

import argparse
import inspect
from typing import NamedTuple

from resnet_zoo.builders import Builder
from resnet_zoo.cli.parser import CommandParser
from resnet_zoo.errors import InvalidValue, nearest_names


class ChosenBackbone(NamedTuple):
    """What a command line says of the backbone.

    Attributes:
        name: a registered name or an import path.
        words: its builder's arguments, as ``--shortcut C``; not looked at yet.
        command: as it is called, for messages.
        options: all that the command has.
    """

    name: str
    words: list[str]
    command: str
    options: tuple[str, ...]

    def check_options(self, builder: Builder) -> None:
        """Refuse what is neither an option of the command nor an argument of the builder.

        Raises:
            InvalidValue: with the nearest of both.
        """
        arguments = [f"--{name}" for name in inspect.signature(builder).parameters]
        for given in (word.partition("=")[0] for word in self.words if word.startswith("--")):
            if given in arguments:
                continue
            nearest = nearest_names(given, [*arguments, *self.options], count=1)
            hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
            raise InvalidValue(
                f"{given!r} is neither an option of {self.command!r} nor an argument of backbone {self.name!r}.{hint} "
                f"See '{self.command} --help' and 'resnet-zoo describe {self.name}'."
            )


def parse_with_backbone(parser: CommandParser, argv: list[str]) -> tuple[argparse.Namespace, ChosenBackbone]:
    """Parse a command's own options, and find the backbone and its arguments in what is left.

    Args:
        parser: of the command; ``--backbone`` is added here, alike for all.
        argv: the words after the command.

    Raises:
        InvalidValue: no backbone, or two; or an option has a wrong value.
    """
    parser.add_argument(
        "--backbone",
        metavar="NAME",
        action="append",
        default=[],
        help="a name from 'resnet-zoo list', or an import path; the name alone, without --backbone, does as well",
    )
    options, rest = parser.parse_known_args(argv)
    words, alone = _apart(rest)
    names = list(dict.fromkeys([*options.backbone, *alone]))
    if len(names) > 1:
        parser.error(f"it measures one backbone, and {' and '.join(map(repr, names))} were given")
    if not names and words:
        parser.error(f"unrecognized arguments: {' '.join(words)}")
    if not names:
        parser.error("which backbone? Give --backbone NAME, a name from 'resnet-zoo list' or an import path")
    return options, ChosenBackbone(names[0], words, parser.prog, tuple(parser.option_strings))


def _apart(rest: list[str]) -> tuple[list[str], list[str]]:
    """Options that the parser does not know, each with its value, and the words that belong to none."""
    options: list[str] = []
    alone: list[str] = []
    waits_for_value = False
    for word in rest:
        is_option = word.startswith("--") or (word.startswith("-") and not waits_for_value)
        (options if is_option or waits_for_value else alone).append(word)
        waits_for_value = is_option and "=" not in word
    return options, alone
