"""What a builder is, and how a backbone remembers the call that made it. Standard library only.

A builder is a typed function with keyword arguments, a docstring and a return annotation. Its signature is the whole
documentation of what may be varied: configs, the command line and error messages are all derived from it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar

from resnet_zoo.errors import InvalidValue, nearest_names

Builder = Callable[..., Any]
Parameters = ParamSpec("Parameters")
Net = TypeVar("Net")

_MARK = "_records_arguments"


def check_builder(builder: object) -> None:
    """Refuse what cannot be built from a config.

    Raises:
        InvalidValue: not a function; or one without docstring or return annotation, or with ``*args``, ``**kwargs``
            or positional-only arguments, none of which can be named in a config.
    """
    if not inspect.isfunction(builder):
        kind = "class" if inspect.isclass(builder) else type(builder).__name__
        raise InvalidValue(
            f"{getattr(builder, '__name__', builder)!r} is a {kind}; a backbone is registered by a function that "
            "returns it, for example: def mynet(*, width: int = 64) -> MyNet."
        )
    signature = inspect.signature(builder)
    where = f"the backbone function {builder.__name__!r} in {builder.__module__}"
    if signature.return_annotation is inspect.Signature.empty:
        raise InvalidValue(
            f"{where} has no return annotation. Name the class it returns, as in "
            f"'def {builder.__name__}(...) -> MyNet:'; without it a config cannot be checked."
        )
    if not (builder.__doc__ or "").strip():
        raise InvalidValue(
            f"{where} has no docstring. Say in one line what it builds and which paper it is from."
        )
    named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    for parameter in signature.parameters.values():
        if parameter.kind not in named:
            bare = parameter.replace(annotation=inspect.Parameter.empty, default=inspect.Parameter.empty)
            raise InvalidValue(
                f"{where} takes {bare!s} ({parameter.kind.description}). Write every argument out as a "
                "keyword argument with a type and a default; a config can set and check only those."
            )


def check_arguments(name: str, builder: Builder, arguments: Iterable[str]) -> None:
    """Refuse argument names that a builder does not have, and calls that leave out one it needs.

    Raises:
        InvalidValue: with the accepted names and the nearest one, on one line.
    """
    parameters: Mapping[str, inspect.Parameter] = inspect.signature(builder).parameters
    given = list(arguments)
    accepted = f"Accepted: {', '.join(parameters) or 'no arguments'}."
    for argument in given:
        if argument not in parameters:
            nearest = nearest_names(argument, parameters, count=1)
            hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
            raise InvalidValue(f"backbone {name!r} has no argument {argument!r}.{hint} {accepted}")
    for parameter in parameters.values():
        if parameter.default is inspect.Parameter.empty and parameter.name not in given:
            raise InvalidValue(f"backbone {name!r} needs the argument {parameter.name!r}. {accepted}")


def record_arguments(
    builder: Callable[Parameters, Net], name: Callable[[], str]
) -> Callable[Parameters, Net]:
    """A builder with the same signature whose backbones carry ``built_by``.

    Args:
        builder: the function to wrap.
        name: gives the backbone's registered name; asked at each call, since another package may claim the bare
            name between registration and call.
    """

    @functools.wraps(builder)
    def recording(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Net:
        backbone = builder(*args, **kwargs)
        explicit = inspect.signature(builder).bind(*args, **kwargs).arguments
        backbone.built_by = {"name": name(), "arguments": dict(explicit)}  # type: ignore[attr-defined]
        return backbone

    setattr(recording, _MARK, True)
    return recording


def records_arguments(builder: object) -> bool:
    """Whether a function's backbones already carry ``built_by``."""
    return bool(getattr(builder, _MARK, False))
