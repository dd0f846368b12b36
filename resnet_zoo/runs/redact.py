"""Keep keys, tokens and passwords out of everything that is written down."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

REDACTED = "[redacted]"

_SECRET_NAME = re.compile(
    r"(^|[^a-z])((api|access|secret|private|auth|license)[_-]?key|key[_-]?id|tokens?|passwords?|passwd|passphrase"
    r"|secrets?|credentials?)$",
    re.IGNORECASE,
)
_URL_WITH_CREDENTIALS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s@]+@", re.IGNORECASE)
_SHORTEST_SECRET = 8
"""Shorter values of secret variables stay: replacing "1" or "none" everywhere would hide what is no secret."""


_SHORTEST_GIVEN_SECRET = 6
_given: set[str] = set()
"""Secrets that came in as options or configuration, to be found wherever they turn up again, as in an error."""


def is_secret_name(name: str) -> bool:
    """Whether an option, key or variable of this name holds a secret: ``WANDB_API_KEY``, ``--logger.token``."""
    return _SECRET_NAME.search(name) is not None


def redact_text(text: str) -> str:
    """``text`` without user names and passwords in URLs, and without the values of secrets that this process knows.

    It knows those of environment variables, and those that ``remember_secrets`` was shown.
    """
    text = _URL_WITH_CREDENTIALS.sub(rf"\g<scheme>{REDACTED}@", text)
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST_SECRET and is_secret_name(name):
            text = text.replace(value, REDACTED)
    for value in _given:
        text = text.replace(value, REDACTED)
    return text


def remember_secrets(value: Any) -> None:
    """Note the secrets of options (a list of words) or of configuration (nested mappings) for ``redact_text``."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, str) and is_secret_name(str(key)):
                _remember(inner)
            else:
                remember_secrets(inner)
    elif isinstance(value, list | tuple):
        for word, following in itertools.zip_longest(value, value[1:]):
            remember_secrets(word)
            if isinstance(word, str) and word.startswith("-"):
                name, equals, given = word.partition("=")
                given = given if equals else str(following or "")
                if is_secret_name(name) and (equals or not given.startswith("-")):
                    _remember(given)


def _remember(secret: str) -> None:
    if len(secret) >= _SHORTEST_GIVEN_SECRET and secret != REDACTED:
        _given.add(secret)


def redact_arguments(arguments: Sequence[str]) -> list[str]:
    """A command line whose secret options, ``--api_key VALUE`` and ``--api_key=VALUE``, have lost their value."""
    clean: list[str] = []
    after_secret_option = False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if after_secret_option and not argument.startswith("--"):
            clean.append(REDACTED)
        elif equals and is_secret_name(name):
            clean.append(f"{name}={REDACTED}")
        else:
            clean.append(redact_text(argument))
        after_secret_option = argument.startswith("-") and not equals and is_secret_name(argument)
    return clean


def redact(value: Any) -> Any:
    """Plain nested data (mappings, lists, strings, numbers) with every secret replaced; the structure is kept."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {
            key: REDACTED if isinstance(inner, str) and inner and is_secret_name(str(key)) else redact(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact(inner) for inner in value]
    return value
