"""Reading YAML configs so that every value remembers the file and line it came from.

YAML 1.1, PyYAML's dialect, turns ``no`` into False, ``012`` into 10 and ``12:30`` into 750, reads ``1e-4`` as text
and lets the later of two equal keys win in silence. A config read here follows YAML 1.2's core schema instead, and a
key that is written twice is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from resnet_zoo.errors import InvalidValue

KeyPath = tuple[str, ...]


@dataclass(frozen=True)
class Origin:
    """Where a value was written."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class LeftBehind:
    """The arguments of a class in whose place another was named.

    Attributes:
        path: of the key whose class it was.
        class_path: the class; None where only arguments were written, for the default one.
        arguments: what it was given.
        origin: where it was named.
    """

    path: KeyPath
    class_path: str | None
    arguments: dict[str, Any]
    origin: Origin | None


@dataclass
class Config:
    """A mapping read from one file or merged from several.

    Attributes:
        values: the mapping.
        origins: where every key in it was written.
        left_behind: what was written, but went with its class when a later file or option named another.
    """

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[KeyPath, Origin] = field(default_factory=dict)
    left_behind: list[LeftBehind] = field(default_factory=list)

    def origin_of(self, path: KeyPath) -> Origin | None:
        """The origin of a key, or of the nearest key above it that was written down."""
        while path:
            if path in self.origins:
                return self.origins[path]
            path = path[:-1]
        return None

    def leave_behind(self, path: KeyPath, replaced: Mapping[str, Any]) -> None:
        """Note the arguments of a class that is about to be replaced, and forget where they were written."""
        arguments, origin = replaced.get("init_args"), self.origin_of(path)
        if isinstance(arguments, Mapping) and arguments:
            self.left_behind.append(LeftBehind(path, replaced.get("class_path"), dict(arguments), origin))
        self.forget(path)

    def forget(self, path: KeyPath) -> None:
        """Drop the origins of a key and of all below it."""
        for stale in [known for known in self.origins if known[: len(path)] == path]:
            del self.origins[stale]

    def paths_ending_in(self, key: str) -> list[KeyPath]:
        """Every path whose last part is ``key``, in the order in which they were written."""
        return [path for path in self.origins if path[-1] == key]


class _Yaml12Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2's core scalars."""


_Yaml12Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
):
    _Yaml12Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}",
        re.compile(f"^(?:{_pattern})$"),
        list(_first) + ([""] if _tag == "null" else []),
    )


def _construct_int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    return int(text, 0) if text.lower().startswith(("0x", "0o")) else int(text)


def _construct_float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    return float(str(loader.construct_scalar(node)).replace(".inf", "inf").replace(".nan", "nan").lower())


_Yaml12Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_Yaml12Loader.add_constructor("tag:yaml.org,2002:float", _construct_float)


def parse_scalar(text: str) -> Any:
    """One value as a config would read it: the text of a command-line option."""
    try:
        return yaml.load(text, Loader=_Yaml12Loader)
    except yaml.YAMLError:
        return text


def read_config(path: Path, shown_as: str | None = None) -> Config:
    """Read one YAML file.

    Args:
        path: the file.
        shown_as: how messages name it; the path as given by default.

    Raises:
        InvalidValue: the file is not valid YAML, holds no mapping, has a key twice, or a key that is no text.
    """
    name = shown_as or str(path)
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=_Yaml12Loader)
        values = yaml.load(text, Loader=_Yaml12Loader)
    except UnicodeDecodeError as error:
        raise InvalidValue(f"{name}: not a text file ({error.reason} at byte {error.start}).") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        raise InvalidValue(f"{where}: not valid YAML: {getattr(error, 'problem', None) or error}.") from error
    if node is None:
        return Config()
    if not isinstance(node, yaml.MappingNode):
        raise InvalidValue(f"{name}: a config is a mapping of keys to values, found {type(values).__name__}.")
    return Config(values, dict(_origins(node, (), name)))


def _origins(node: yaml.Node, path: KeyPath, name: str) -> Iterator[tuple[KeyPath, Origin]]:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            key, line = key_node.value, key_node.start_mark.line + 1
            if key_node.tag != "tag:yaml.org,2002:str":
                raise InvalidValue(f"{name}:{line}: a key must be text, found {key!r}.")
            if "." in key and not path:
                first, _, rest = key.partition(".")
                raise InvalidValue(
                    f"{name}:{line}: {key!r}: in a file, write '{first}:' and '{rest}:' below it."
                )
            if key in seen:
                raise InvalidValue(
                    f"{name}:{line}: key {'.'.join((*path, key))!r} is already set on line {seen[key]}."
                )
            seen[key] = line
            yield (*path, key), Origin(name, line)
            yield from _origins(value_node, (*path, key), name)
    elif isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            yield (*path, str(position)), Origin(name, item.start_mark.line + 1)
            yield from _origins(item, (*path, str(position)), name)


def merge(first: Config, second: Config) -> Config:
    """Lay ``second`` over ``first``: mappings merge key by key, everything else is replaced.

    Where ``second`` names another ``class_path``, the arguments of the first class are dropped with it: an argument
    that both classes happen to have must not survive a change of class in silence.
    """
    merged = Config({}, dict(first.origins), [*first.left_behind, *second.left_behind])
    merged.values = _merge_values(first.values, second.values, (), merged)
    merged.origins.update(second.origins)
    return merged


def _merge_values(
    first: Mapping[str, Any], second: Mapping[str, Any], path: KeyPath, config: Config
) -> dict[str, Any]:
    merged = dict(first)
    for key, value in second.items():
        old, here = merged.get(key), (*path, key)
        merged[key] = value
        if not (isinstance(old, Mapping) and isinstance(value, Mapping)):
            config.forget(here)
        elif _changes_class(old, value):
            config.leave_behind(here, old)
        else:
            merged[key] = _merge_values(old, value, here, config)
    return merged


def _changes_class(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return "class_path" in new and "class_path" in old and new["class_path"] != old["class_path"]
