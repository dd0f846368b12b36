"""Turning jsonargparse's messages into ours: which key, in which file and line, what is allowed, what was meant.

jsonargparse stays the judge of what is valid; here its verdict is only explained. A message that matches none of the
known forms is passed on as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from resnet_zoo.cli.arguments import Arguments, lookup, not_set
from resnet_zoo.cli.unknown_keys import unknown_argument, unknown_key, unrecognized, where_set
from resnet_zoo.errors import InvalidValue, UserMistake

_UNKNOWN_ARGUMENT = re.compile(r"^Option '(?P<key>[^']+)' is not accepted")
_UNKNOWN_KEY = re.compile(r"(?:Group '(?P<group>[^']+)' )?does not accept option '(?P<key>[^']+)'")
_UNRECOGNIZED = re.compile(r"unrecognized arguments: (?P<words>.*)", re.DOTALL)
_KEY = re.compile(r'Parser key "(?P<key>[^"]+)":')
_REQUIRED = re.compile(r"arguments are required: (?P<keys>.*)")
_PROBLEM = re.compile(r"Problem with given class_path '(?P<class>[^']+)':\n *(?P<reason>[^\n]+)")
_NO_VALUE = re.compile(r"argument (?P<option>--\S+): expected one argument")
_LINKED = re.compile(r'Linked "(?P<key>[^"]+)" must be given via "(?P<source>[^"]+)"')
_NOT_A_GROUP = re.compile(r"Unable to load config '(?P<value>[^']*)'")
_NOT_A_CLASS = re.compile(r"Expected a dot import path string: (?P<given>\S+)")
_MEANT = {"trainer.precision=auto": " Did you mean the key 'precision', as in --precision auto?"}
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
        return unknown_argument(match["key"], arguments, known)
    if match := _UNKNOWN_KEY.search(message):
        prefix = f"{match['group']}." if match["group"] else ""
        return unknown_key(prefix + match["key"].removeprefix(prefix), arguments, known)
    if match := _UNRECOGNIZED.search(message):
        return unrecognized(match["words"], known)
    if match := _NO_VALUE.search(message):
        return InvalidValue(f"command line: {match['option']} needs a value.")
    if match := _LINKED.search(message):
        where = where_set(tuple(match["key"].split(".")), arguments)
        group = match["source"].partition(".")[0]
        return InvalidValue(
            f"{where}: {match['key']!r} cannot be set: it follows from {group!r}. Leave it out."
        )
    if _KEY.search(message):
        return _invalid_value(message, arguments, known)
    if match := _REQUIRED.search(message):
        return not_set(*match["keys"].strip().split(", "))
    return InvalidValue(message.strip())


def _invalid_value(message: str, arguments: Arguments, known: list[str]) -> UserMistake:
    """A value that its key cannot take; the innermost key of the message is the one that is wrong."""
    if "Option '" in message and (inner := _UNKNOWN_ARGUMENT.search(message[message.index("Option '") :])):
        return unknown_argument(inner["key"], arguments, known)
    if match := _NOT_A_GROUP.search(message):
        return _not_a_group(_KEY.search(message)["key"], match["value"], arguments, known)  # type: ignore[index]
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
    if isinstance(value, dict) and (stray := sorted(set(value) - {"class_path", "init_args", "dict_kwargs"})):
        return InvalidValue(
            f"{where_set((*path, stray[0]), arguments)}: unknown key '{shown}.{stray[0]}'. Arguments of a class stand "
            f"below {shown}.init_args."
        )
    reasons = _lines_below(message, keys[-1])
    expected = [_readable_type(match["type"]) for line in reasons if (match := _EXPECTED.search(line))]
    expected = list(dict.fromkeys(kind for kind in expected if "path" not in kind)) or expected
    if set(expected) <= {"null"} and (match := _NOT_A_CLASS.search(message, keys[-1].end())):
        arguments_of_its_class = "" if isinstance(value, list) else f", or arguments, as --{shown}.KEY VALUE"
        return InvalidValue(
            f"{where}: {shown!r} has {match['given']!r}, which is no class that is known. Give its import path, as "
            f"package.module.Class{arguments_of_its_class}."
        )
    if not expected:
        return InvalidValue(f"{where}: {shown!r} cannot be {value!r}: {' '.join(' '.join(reasons).split())}")
    hint = _MEANT.get(f"{shown}={value}", "")
    return InvalidValue(f"{where}: {shown!r} cannot be {value!r}.{hint} Allowed: {' or '.join(expected)}.")


def _not_a_group(key: str, value: str, arguments: Arguments, known: list[str]) -> UserMistake:
    """One value for a key that has keys below it: ``model: resnet50``."""
    below = sorted({name.split(".")[key.count(".") + 1] for name in known if name.startswith(f"{key}.")})
    where = where_set(tuple(key.split(".")), arguments)
    return InvalidValue(f"{where}: {key!r} cannot be {value!r}: it has keys of its own, {', '.join(below)}.")


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
