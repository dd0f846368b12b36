"""A builder's arguments on the command line: what there are, and their values checked against their types."""

from __future__ import annotations

import argparse
import inspect
import re
import types
import typing
from typing import Any, NamedTuple

from jsonargparse import ArgumentParser

from resnet_zoo.builders import Builder, check_arguments
from resnet_zoo.errors import InvalidValue


class BuilderArgument(NamedTuple):
    """One argument of a builder: its name, its type as one would write it, its default (None if it must be given)."""

    name: str
    type: str
    default: Any
    required: bool


def builder_arguments(builder: Builder) -> list[BuilderArgument]:
    """The arguments in the order of the signature."""
    try:
        hints = typing.get_type_hints(builder)
    except NameError:  # a type imported for the type checker only: shown as it is written
        hints = {}
    arguments = []
    for parameter in inspect.signature(builder).parameters.values():
        required = parameter.default is inspect.Parameter.empty
        type_text = _type_text(hints.get(parameter.name, parameter.annotation))
        arguments.append(
            BuilderArgument(parameter.name, type_text, None if required else parameter.default, required)
        )
    return arguments


def parse_backbone_arguments(name: str, builder: Builder, words: list[str]) -> dict[str, Any]:
    """Values for a builder's arguments from ``--shortcut C`` or ``--shortcut=C``.

    Args:
        name: the backbone's name, for messages.
        builder: whose signature says what is allowed.
        words: what the command line holds beside the command's own options.

    Raises:
        InvalidValue: an argument that the builder does not have, or a value of the wrong type; one line that says
            what is accepted.
    """
    given = [word[2:].partition("=")[0] for word in words if word.startswith("--")]
    check_arguments(name, builder, given)
    parser = ArgumentParser(exit_on_error=False, add_help=False)
    parser.add_function_arguments(builder, as_group=False)
    try:
        values = parser.parse_args(words)
    except argparse.ArgumentError as error:
        raise InvalidValue(_explained(name, builder, str(error))) from error
    return {argument: values[argument] for argument in dict.fromkeys(given)}


def _explained(name: str, builder: Builder, message: str) -> str:
    wrong = re.search(r'Parser key "(\w+)"', message)
    for argument in builder_arguments(builder):
        if wrong and argument.name == wrong[1]:
            value = message.rpartition("Got value: ")[2] if "Got value: " in message else ""
            given = f"={value.strip()}" if value else ""
            return f"backbone {name!r}: {argument.name}{given} is not allowed. Accepted: {argument.type}."
    return f"backbone {name!r}: {' '.join(message.split())}"


def _type_text(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return "any"
    if typing.get_origin(annotation) is typing.Literal:
        return " | ".join(repr(choice) for choice in typing.get_args(annotation))
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return " | ".join(_type_text(choice) for choice in typing.get_args(annotation))
    if annotation is type(None):
        return "None"
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
