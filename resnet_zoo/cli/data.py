"""``resnet-zoo data``: commands on data sets, chosen by the first word."""

from __future__ import annotations

import importlib
from typing import NamedTuple

from resnet_zoo.errors import InvalidValue, unknown_name


class DataCommand(NamedTuple):
    """Where a command on data sets lives and what it is for.

    Attributes:
        module: has ``main(argv: list[str]) -> int``.
        help: one line for the overview.
    """

    module: str
    help: str


DATA_COMMANDS: dict[str, DataCommand] = {
    "check": DataCommand("resnet_zoo.cli.data_check", "what is wrong with a folder of images"),
    "prepare": DataCommand("resnet_zoo.cli.data_prepare", "published archives into folders of images"),
    "pack": DataCommand(
        "resnet_zoo.cli.data_pack", "a folder of images as a few large files, which are read faster"
    ),
}


def main(argv: list[str]) -> int:
    """Run one of the commands.

    Raises:
        InvalidValue: no command was named.
        UnknownName: there is no such command.
    """
    if not argv:
        raise InvalidValue(
            f"resnet-zoo data: which command? Known: {', '.join(DATA_COMMANDS)}. See 'resnet-zoo data --help'."
        )
    if argv[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if argv[0] not in DATA_COMMANDS:
        raise unknown_name("data command", argv[0], DATA_COMMANDS, "See 'resnet-zoo data --help'.")
    code: int = importlib.import_module(DATA_COMMANDS[argv[0]].module).main(argv[1:])
    return code


def overview() -> str:
    """The text of ``resnet-zoo data --help``."""
    width = max(map(len, DATA_COMMANDS))
    lines = [f"  {name:<{width}}  {command.help}" for name, command in DATA_COMMANDS.items()]
    return "\n".join(
        [
            "usage: resnet-zoo data COMMAND [...]",
            "",
            "Look after data sets.",
            "",
            "commands:",
            *lines,
            "",
            "'resnet-zoo data COMMAND --help' explains a command.",
            "",
            "example: resnet-zoo data check data/imagenet",
        ]
    )
