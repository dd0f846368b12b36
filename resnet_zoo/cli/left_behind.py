"""Saying which settings of a config no longer count because a later file or option named another class."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from jsonargparse import Namespace

from resnet_zoo.cli.arguments import Arguments
from resnet_zoo.cli.config_files import KeyPath


def left_behind_notes(arguments: Arguments, config: Namespace) -> Iterator[str]:
    """What was set for a class, would be allowed for the one in its place, and is at its default there.

    Args:
        arguments: the command line and its config files.
        config: what they resolve to.

    Yields:
        for each replaced class a line with the options that would bring its settings back.
    """
    for left in arguments.config.left_behind:
        key = ".".join(left.path)
        now = config.get(key)
        if not isinstance(now, Namespace) or not (taken := now.get("init_args")):
            continue
        settings = {
            name: value
            for name, value in left.arguments.items()
            if name in taken and not _is_set(arguments, left.path, name) and _plain(taken[name]) != value
        }
        if settings:
            options = " ".join(f"--{key}.{name}={_word(value)}" for name, value in settings.items())
            yield (
                f"{key}: what {left.origin or 'the config'} sets for {_short(left.class_path)} went when another class "
                f"was named. To set it for {_short(now.class_path)}: {options}"
            )


def _is_set(arguments: Arguments, path: KeyPath, name: str) -> bool:
    if (*path, "init_args", name) in arguments.config.origins:
        return True
    key = ".".join(path)
    starts = (f"--{key}.{name}", f"--{key}.init_args.{name}")
    return any(
        option.startswith(start) and option[len(start) : len(start) + 1] in ("=", ".", "+")
        for option in arguments.options
        for start in starts
    )


def _plain(value: Any) -> Any:
    return value.as_dict() if isinstance(value, Namespace) else value


def _word(value: Any) -> str:
    return shlex.quote(value if isinstance(value, str) else json.dumps(value))


def _short(class_path: str | None) -> str:
    return class_path.rpartition(".")[2] if class_path else "the default"
