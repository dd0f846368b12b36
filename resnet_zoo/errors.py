"""How the project phrases a user's mistake: what went wrong, what was given, what is allowed, what to do next.

Every exception here is shown to the user as one message without a traceback (``--traceback`` shows it) and ends
the command with exit code 2. Programmer errors stay plain exceptions or asserts.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserMistake(Exception):
    """A mistake in what the user gave: a value, a name, a file. Its text is the whole message."""


class InvalidValue(UserMistake, ValueError):
    """A value that is not allowed where it stands."""


class UnknownName(UserMistake, LookupError):
    """A name that is not known: a backbone, data set, config, key, experiment."""


class MissingData(UserMistake, FileNotFoundError):
    """A file or folder that should be there and is not, or is laid out differently."""


class SaidElsewhere(UserMistake):
    """Another rank says what is wrong; this one ends with the same exit code and without a word."""


def nearest_names(given: str, allowed: Iterable[str], count: int = 3) -> list[str]:
    """Up to ``count`` allowed names that look most like ``given``, best first; empty when nothing is close."""
    by_folded = {name.casefold(): name for name in allowed}
    matches = difflib.get_close_matches(given.casefold(), by_folded, n=count, cutoff=0.6)
    return [by_folded[match] for match in matches]


def unknown_name(
    kind: str, given: str, allowed: Iterable[str], next_step: str = "", list_all: bool = False
) -> UnknownName:
    """The error for a name that is not known.

    Args:
        kind: what the name stands for, as in "backbone".
        given: what the user wrote.
        allowed: every name that would have been accepted; the nearest are suggested, or all are listed if few.
        next_step: a sentence that says where to look, for example "See 'resnet-zoo list'."
        list_all: list all names although the nearest are suggested, or although there are many.
    """
    names = sorted(set(allowed))
    suggestions = nearest_names(given, names)
    message = f"no {kind} named {given!r}."
    if suggestions:
        message += " Did you mean " + " or ".join(repr(name) for name in suggestions) + "?"
    if list_all or (not suggestions and len(names) <= 30):
        message += f" Known: {', '.join(names) or 'none'}."
    return UnknownName(f"{message} {next_step}".strip())
