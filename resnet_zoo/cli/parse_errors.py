"""Turning jsonargparse's messages into ours: which key, in which file and line, what is allowed, what was meant.

jsonargparse stays the judge of what is valid; here its verdict is only explained. A message that matches none of the
known forms is passed on as it is.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from typing import Any

from jsonargparse import ArgumentParser

from resnet_zoo.cli.arguments import Arguments, lookup, not_set
from resnet_zoo.cli.config_files import KeyPath
from resnet_zoo.errors import InvalidValue, UnknownName, UserMistake, nearest_names

_UNKNOWN_ARGUMENT = re.compile(r"^Option '(?P<key>[^']+)' is not accepted")
_UNKNOWN_KEY = re.compile(r"(?:Group '(?P<group>[^']+)' )?does not accept option '(?P<key>[^']+)'")
_UNRECOGNIZED = re.compile(r"unrecognized arguments: (?P<words>.*)", re.DOTALL)
_KEY = re.compile(r'Parser key "(?P<key>[^"]+)":')
_REQUIRED = re.compile(r"arguments are required: (?P<keys>.*)")
_PROBLEM = re.compile(r"Problem with given class_path '(?P<class>[^']+)':\n *(?P<reason>[^\n]+)")
_EXPECTED = re.compile(r"Expected an? (?P<type>.+?)(?:\. Got value: .*|: .*)?$")


def explain(message: str, arguments: Arguments, known_keys: Iterable[str]) -> UserMistake:
    """The error to show for one of jsonargparse's messages.

    Args:
        message: what jsonargparse said.
        arguments: the merged config and the options it was said about.
        known_keys: every dotted key that the parser accepts.
    """
    known = sorted(set(known_keys))
    if match := _UNKNOWN_ARGUMENT.search(message):
        return _unknown_argument(match["key"], arguments, known)
    if match := _UNKNOWN_KEY.search(message):
        prefix = f"{match['group']}." if match["group"] else ""
        return _unknown_key(prefix + match["key"].removeprefix(prefix), arguments, known)
    if match := _UNRECOGNIZED.search(message):
        return _unrecognized(match["words"], known)
    if _KEY.search(message):
        return _invalid_value(message, arguments, known)
    if match := _REQUIRED.search(message):
        return not_set(*match["keys"].strip().split(", "))
    return InvalidValue(message.strip())


def _unknown_argument(full_key: str, arguments: Arguments, known: list[str]) -> UserMistake:
    """An argument that a class (backbone, data set, callback) does not have."""
    key = full_key.rpartition(".")[2]
    for option in arguments.options:
        name = option.partition("=")[0].removeprefix("--")
        if name.rpartition(".")[2] == key:
            owner = name.rpartition(".")[0].removesuffix(".init_args")
            return _no_such_key(
                "--" + name, key, _class_of(arguments, tuple(owner.split("."))), "command line"
            )
    for path in arguments.config.paths_ending_in(key):
        if len(path) >= 2 and path[-2] in ("init_args", "dict_kwargs"):
            shown = ".".join(path[:-2] + path[-1:])
            where = str(arguments.config.origin_of(path))
            return _no_such_key(shown, key, _class_of(arguments, path[:-2]), where)
    return _unknown_key(full_key, arguments, known)


def _class_of(arguments: Arguments, path: KeyPath) -> str | None:
    option = arguments.option(".".join(path))
    configured = lookup(arguments.config.values, path)
    if option is not None:
        return option
    return configured.get("class_path") if isinstance(configured, dict) else None


def _no_such_key(shown: str, key: str, class_path: str | None, where: str) -> UserMistake:
    allowed = accepted_arguments(class_path) if class_path else []
    short = (class_path or "").rpartition(".")[2]
    message = f"{where}: unknown key {shown!r}."
    nearest = nearest_names(key, allowed, count=1)
    if nearest:
        message += f" Did you mean {nearest[0]!r}?"
    if allowed:
        message += f" {short} accepts: {', '.join(allowed)}."
    elif class_path:
        message += f" {short} accepts no arguments."
    return UnknownName(message)


def accepted_arguments(class_path: str) -> list[str]:
    """The names of the arguments of the class or function at an import path, those of its base classes included."""
    parser = ArgumentParser(exit_on_error=False)
    try:
        module, _, name = class_path.rpartition(".")
        component: Any = getattr(importlib.import_module(module), name)
        add = parser.add_class_arguments if isinstance(component, type) else parser.add_function_arguments
        names = [name.partition(".")[0] for name in add(component, None, fail_untyped=False)]
        return [name for name in names if name != "params"]  # an optimizer's, never given in a config
    except Exception:  # an error message must not fail over its own decoration
        return []


def _unknown_key(key: str, arguments: Arguments, known: list[str]) -> UserMistake:
    """A key of a config that no group has; ``key`` may run on below the part that is wrong."""
    parts = key.split(".")
    prefixes = {
        ".".join(name.split(".")[:length]) for name in known for length in range(1, name.count(".") + 2)
    }
    wrong = next((n for n in range(1, len(parts) + 1) if ".".join(parts[:n]) not in prefixes), len(parts))
    path = tuple(parts[:wrong])
    where = arguments.config.origin_of(path) if path in arguments.config.origins else None
    shown = ".".join(path)
    return UnknownName(f"{where or 'command line'}: unknown key {shown!r}.{_did_you_mean(path, prefixes)}")


def _did_you_mean(path: KeyPath, prefixes: set[str]) -> str:
    siblings = {p for p in prefixes if p.count(".") == len(path) - 1 and p.split(".")[:-1] == list(path[:-1])}
    by_last_part = {name.rpartition(".")[2]: name for name in siblings}
    nearest = nearest_names(path[-1], by_last_part, count=1)
    if nearest:
        return f" Did you mean {by_last_part[nearest[0]]!r}?"
    elsewhere = sorted(p for p in prefixes if p.rpartition(".")[2] == path[-1])
    if elsewhere:
        return f" Did you mean {elsewhere[0]!r}?"
    group = ".".join(path[:-1])
    return (
        f" Keys of {group!r}: {', '.join(sorted(by_last_part))}."
        if group and by_last_part
        else (f" Known: {', '.join(sorted(siblings))}." if siblings else "")
    )


def _unrecognized(words: str, known: list[str]) -> UserMistake:
    first = words.split(maxsplit=1)[0] if words.split() else words
    key = first.partition("=")[0].lstrip("-")
    if not first.startswith("-"):
        return InvalidValue(f"command line: {first!r} is no option. Options are written --key value.")
    prefixes = {
        ".".join(name.split(".")[:length]) for name in known for length in range(1, name.count(".") + 2)
    }
    suggestion = _did_you_mean(tuple(key.split(".")), prefixes)
    return UnknownName(f"command line: unknown key {'--' + key!r}.{suggestion}")


def _invalid_value(message: str, arguments: Arguments, known: list[str]) -> UserMistake:
    """A value that its key cannot take; the innermost key of the message is the one that is wrong."""
    if "Option '" in message and (inner := _UNKNOWN_ARGUMENT.search(message[message.index("Option '") :])):
        return _unknown_argument(inner["key"], arguments, known)
    keys = list(_KEY.finditer(message))
    shown = ".".join(match["key"] for match in keys)
    path = tuple(".init_args.".join(match["key"] for match in keys).split("."))
    value = arguments.option(shown)
    where = "command line"
    if value is None:
        value = lookup(arguments.config.values, path)
        where = str(arguments.config.origin_of(path) or where)
    problem = next(_PROBLEM.finditer(message, keys[-1].end()), None)
    if problem is not None:
        return _problem_of_class(problem["class"], problem["reason"], shown, where)
    reasons = _lines_below(message, keys[-1])
    expected = [_readable_type(match["type"]) for line in reasons if (match := _EXPECTED.search(line))]
    expected = list(dict.fromkeys(kind for kind in expected if "path" not in kind)) or expected
    if not expected:
        return InvalidValue(f"{where}: {shown!r} cannot be {value!r}: {' '.join(' '.join(reasons).split())}")
    return InvalidValue(f"{where}: {shown!r} cannot be {value!r}. Allowed: {' or '.join(expected)}.")


def _problem_of_class(class_path: str, reason: str, shown: str, where: str) -> UserMistake:
    """A class that was named for a key and cannot be built as it was."""
    required = _REQUIRED.search(reason)
    if required is None:
        return InvalidValue(f"{where}: {shown!r} cannot be {class_path!r}: {reason.rstrip('.')}.")
    names = required["keys"].split(", ")
    is_or_are = "is" if len(names) == 1 else "are"
    message = (
        f"{where}: {class_path.rpartition('.')[2]} needs {' and '.join(names)}, which {is_or_are} not set. "
    )
    options = " ".join(f"--{shown}.{name} VALUE" for name in names)
    in_a_config = f"below {shown}.init_args in a config"
    return InvalidValue(f"{message}Give {options}, or {'it' if len(names) == 1 else 'them'} {in_a_config}.")


def _lines_below(message: str, key: re.Match[str]) -> list[str]:
    """The lines that say what is wrong with a key: those after it, as long as they are indented as far."""
    start = message.rfind("\n", 0, key.start()) + 1
    indent = len(message[start:]) - len(message[start:].lstrip())
    lines = []
    for line in message[key.end() :].splitlines():
        if line.strip() and len(line) - len(line.lstrip()) < indent:
            break
        lines.append(line.strip())
    return lines


def _readable_type(text: str) -> str:
    if match := re.fullmatch(r"<class '(?:.*\.)?(?P<name>[^'.]+)'>", text.strip()):
        return {"NoneType": "null", "bool": "true or false", "str": "text"}.get(match["name"], match["name"])
    if match := re.fullmatch(r"typing\.Literal\[(?P<options>.*)\]", text.strip()):
        return f"one of {match['options']}"
    return text.strip()
