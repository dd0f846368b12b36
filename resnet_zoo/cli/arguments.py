"""From the words of a command line to one merged config and the options that stay on the command line.

Two things happen before jsonargparse sees anything: all ``--config`` files are read and merged by us, so that every
value keeps its file and line; and the short names of section 2 of the design (``resnet50``, ``ImageNet``) become the
import paths that jsonargparse instantiates.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import yaml

from resnet_zoo.cli.bases import read_with_bases
from resnet_zoo.cli.config_files import Config, KeyPath, merge, parse_scalar
from resnet_zoo.errors import InvalidValue, UnknownName, UserMistake
from resnet_zoo.runs import remember_secrets

NamedKeys = dict[str, Callable[[str], str]]
"""For each dotted key that takes a short name: the function from a name to its import path. A key that ends in ``[]``
is an argument of a class that takes a list of names."""

LIST = "[]"


REPEATED_KEYS = ("ckpt_path",)
"""Options that may be given several times, all of which count; of all others the last one does."""


@dataclass
class Arguments:
    """What a command line asks for.

    Attributes:
        config: all config files merged, later ones over earlier ones.
        config_names: the names of the config files, in order, without folder and ending.
        options: everything else, in order, as ``--key=value`` words.
    """

    config: Config = field(default_factory=Config)
    config_names: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)

    def words(self) -> list[str]:
        """The command line for jsonargparse: the merged config first, so that every option overrides it."""
        options = list(self.options)
        for key in REPEATED_KEYS:
            if len(values := self.all_options(key)) > 1:
                options = [word for word in options if not word.startswith(f"--{key}=")]
                options.append(f"--{key}={json.dumps(values)}")
        if not self.config.values:
            return options
        return ["--config", yaml.safe_dump(self.config.values, sort_keys=False), *options]

    def option(self, key: str) -> str | None:
        """The last value given to ``--key`` on the command line."""
        values = self.all_options(key)
        return values[-1] if values else None

    def all_options(self, key: str) -> list[str]:
        """Every value given to ``--key`` on the command line, in order."""
        return [word.partition("=")[2] for word in self.options if word.startswith(f"--{key}=")]

    def get(self, key: str) -> Any:
        """The value of a dotted key: the command line's, else the merged config's, else None."""
        option = self.option(key)
        return option if option is not None else lookup(self.config.values, tuple(key.split(".")))


def lookup(values: Any, path: KeyPath) -> Any:
    """The value at a path of keys and list positions; None where there is none."""
    for part in path:
        if isinstance(values, dict):
            values = values.get(part)
        elif isinstance(values, list) and part.isdigit() and int(part) < len(values):
            values = values[int(part)]
        else:
            return None
    return values


def parse_arguments(words: list[str], named_keys: NamedKeys) -> Arguments:
    """Read and merge the config files, resolve short names, join options to ``--key=value``.

    Raises:
        UserMistake: a config cannot be found or read, or a short name is not known; the message has file and line.
    """
    arguments = Arguments()
    remember_secrets(words)
    for option in joined(words):
        key, _, value = option.partition("=")
        if key in ("--config", "-c"):
            if not value:
                raise InvalidValue("--config needs the path or the name of a config file.")
            loaded, path = read_with_bases(value, partial(_resolve_names, named_keys))
            remember_secrets(loaded.values)
            arguments.config = merge(arguments.config, loaded)
            arguments.config_names.append(path.stem)
        else:
            arguments.options.append(option)
    for named_key, resolve in named_keys.items():
        if named_key.endswith(LIST):
            _resolve_list_in_options(arguments, named_key.removesuffix(LIST), resolve)
        else:
            _resolve_in_options(arguments, named_key, resolve)
    return arguments


def not_set(*keys: str) -> InvalidValue:
    """The mistake of a command line without what every run needs."""
    options = " ".join(f"--{key} NAME" for key in keys)
    return InvalidValue(
        f"not set: {', '.join(keys)}. Give a config, for example --config quickstart, or {options}."
    )


def _places(named_key: str, config: Config) -> list[KeyPath]:
    """Where the names of a key stand in a config: in one place, or in as many as its list is long."""
    if not named_key.endswith(LIST):
        return [tuple(named_key.split("."))]
    *owner, last = named_key.removesuffix(LIST).split(".")
    path = (*owner, "init_args", last)
    values = lookup(config.values, path)
    return [(*path, str(place)) for place in range(len(values))] if isinstance(values, list) else []


def joined(words: list[str]) -> list[str]:
    """``--key value`` as ``--key=value``; a flag and a lone word stay as they are."""
    joined: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        following = words[position + 1] if position + 1 < len(words) else None
        takes_value = word.startswith("-") and "=" not in word and not _is_negative_number(word)
        if (
            takes_value
            and following is not None
            and (not following.startswith("-") or _is_negative_number(following))
        ):
            joined.append(f"{word}={following}")
            position += 2
        else:
            joined.append(word)
            position += 1
    return joined


def _is_negative_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return word.startswith("-")


def _resolve_names(named_keys: NamedKeys, config: Config) -> None:
    for named_key, resolve in named_keys.items():
        for place in _places(named_key, config):
            _resolve_in_config(config, place, resolve)


def _resolve_in_config(config: Config, path: KeyPath, resolve: Callable[[str], str]) -> None:
    value, parent = lookup(config.values, path), lookup(config.values, path[:-1])
    if isinstance(value, str):
        key: Any = int(path[-1]) if isinstance(parent, list) else path[-1]
        resolved = _resolved(resolve, value, config, path)
        parent[key] = resolved if _stands_alone(resolved) else {"class_path": resolved}
    elif isinstance(value, dict) and isinstance(value.get("class_path"), str):
        value["class_path"] = _resolved(resolve, value["class_path"], config, (*path, "class_path"))


def _stands_alone(path: str) -> bool:
    """Whether an import path is a function with a positional argument, as the default optimizer: no config gives it."""
    module, _, name = path.rpartition(".")
    found = getattr(sys.modules.get(module), name, None)
    return inspect.isfunction(found) and any(
        parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        for parameter in inspect.signature(found).parameters.values()
    )


def _resolved(resolve: Callable[[str], str], name: str, config: Config, path: KeyPath) -> str:
    try:
        return resolve(name)
    except UnknownName as error:
        raise UnknownName(f"{config.origin_of(path)}: {error}") from error
    except UserMistake as error:
        raise InvalidValue(f"{config.origin_of(path)}: {error}") from error


def _resolve_in_options(arguments: Arguments, key: str, resolve: Callable[[str], str]) -> None:
    for position, option in enumerate(arguments.options):
        name, separator, value = option.partition("=")
        if name not in (f"--{key}", f"--{key}.class_path") or not separator or value.lstrip().startswith("{"):
            continue
        class_path = resolve(value)
        arguments.options[position] = f"--{key}={class_path}"
        path = tuple(key.split("."))
        configured = lookup(arguments.config.values, path)
        if isinstance(configured, dict) and configured.get("class_path") != class_path:
            arguments.config.leave_behind(path, configured)
            configured.clear()
            configured["class_path"] = class_path


def _resolve_list_in_options(arguments: Arguments, key: str, resolve: Callable[[str], str]) -> None:
    """``--key=[NAME, {class_path: NAME, ...}]``, and ``--key+=NAME``, which appends."""
    owner, _, last = key.rpartition(".")
    for position, option in enumerate(arguments.options):
        name, separator, text = option.partition("=")
        if name.removesuffix("+") not in (f"--{key}", f"--{owner}.init_args.{last}") or not separator:
            continue
        value = parse_scalar(text)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and isinstance(item.get("class_path"), str):
                item["class_path"] = resolve(item["class_path"])
        if isinstance(value, list):
            value = [{"class_path": resolve(item)} if isinstance(item, str) else item for item in value]
        elif isinstance(value, str):
            value = {"class_path": resolve(value)}
        arguments.options[position] = f"{name}={json.dumps(value)}"
