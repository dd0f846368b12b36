"""The networks, one file a paper; any registered backbone is an attribute here, whoever wrote it.

``resnet_zoo.backbones.resnet50`` is the builder of that name, looked up in the registry when asked for. This makes
``class_path: resnet_zoo.backbones.NAME`` work in a config for built-in backbones and for plugins alike.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from resnet_zoo.errors import UnknownName, UserMistake
from resnet_zoo.registry import registry


class NoSuchBackbone(UnknownName, AttributeError):
    """The registry's message, raised where Python expects an ``AttributeError``: by attribute access.

    ``hasattr`` and ``from resnet_zoo.backbones import x`` keep their meaning, and argument parsers that import a
    class path show the text with its nearest name.
    """


def __getattr__(name: str) -> Any:
    if name.startswith("_") or find_spec(
        f"{__name__}.{name}"
    ):  # a file of this folder: the import system loads it
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return registry.resolve(name).load()
    except UserMistake as mistake:
        raise NoSuchBackbone(str(mistake)) from mistake


def __dir__() -> list[str]:
    return sorted({*globals(), *registry.names()})
