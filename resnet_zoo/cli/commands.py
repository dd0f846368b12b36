"""Commands chosen by a word: a table, its overview, and running one of it. Standard library only."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from resnet_zoo.errors import InvalidValue, unknown_name

HELP = ("-h", "--help", "help")


class Command(NamedTuple):
    """Where a command lives and what it is for.

    Attributes:
        module: has ``main(argv: list[str]) -> int``.
        help: one line for the overview.
        keeps_name: whether ``argv`` begins with the command's name, for a module that serves several commands.
    """

    module: str
    help: str
    keeps_name: bool = False


def lines_of(commands: Mapping[str, Command]) -> list[str]:
    """Names and what they do, for an overview."""
    width = max(map(len, commands))
    return [f"  {name:<{width}}  {command.help}" for name, command in commands.items()]


def run_command(kind: str, commands: Mapping[str, Command], words: list[str], asked: str) -> int:
    """Import the module of the command that the first word names, and run it on the others.

    Args:
        kind: what the commands are, for messages.
        commands: by name.
        words: at least one.
        asked: the command whose ``--help`` lists them.

    Returns:
        the exit code.

    Raises:
        UnknownName: there is no such command.
    """
    name, rest = words[0], words[1:]
    if name not in commands:
        raise unknown_name(kind, name, commands, f"See '{asked} --help'.")
    command = commands[name]
    code: int = importlib.import_module(command.module).main(words if command.keeps_name else rest)
    return code


@dataclass(frozen=True)
class CommandGroup:
    """A command that is several, chosen by the first word.

    Args:
        name: what stands before that word.
        about: what all of them are for.
        commands: by their word.
        example: a command line to imitate.
    """

    name: str
    about: str
    commands: Mapping[str, Command]
    example: str

    def main(self, argv: list[str]) -> int:
        """Run one of them.

        Raises:
            InvalidValue: none was named.
            UnknownName: there is none of that name.
        """
        asked = f"resnet-zoo {self.name}"
        if not argv:
            raise InvalidValue(f"{asked}: which? Known: {', '.join(self.commands)}. See '{asked} --help'.")
        if argv[0] in HELP:
            print(self.overview())
            return 0
        return run_command(f"{self.name} command", self.commands, argv, asked)

    def overview(self) -> str:
        """The text of ``--help``."""
        return "\n".join(
            [
                f"usage: resnet-zoo {self.name} COMMAND [...]",
                "",
                self.about,
                "",
                "commands:",
                *lines_of(self.commands),
                "",
                f"'resnet-zoo {self.name} COMMAND --help' explains a command.",
                "",
                f"example: {self.example}",
            ]
        )
