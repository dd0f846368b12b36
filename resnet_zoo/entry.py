"""One backbone of the registry: its name, where its code comes from, what is known of it. Standard library only."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from resnet_zoo.builders import Builder, check_builder, record_arguments, records_arguments
from resnet_zoo.errors import InvalidValue, UserMistake

OWN_MODULE = "resnet_zoo"


class BrokenBackbone(UserMistake, ImportError):
    """A name that is known but whose code cannot be imported or is not a builder; the text holds the cause."""


@dataclass(frozen=True)
class BackboneEntry:
    """A name and what stands behind it; the code itself is imported by ``load`` and not before.

    Attributes:
        name: the spelling that finds this entry again: bare, ``package/name`` where the bare name is another's,
            or an import path.
        package: the distribution that ships it; for code that no distribution ships, its top-level module.
        version: the distribution's version; None for code that no distribution ships.
        module: the module that the builder is imported from.
        function: the builder's name in that module.
        figures: family, parameters, multiply_adds, input_size, num_classes, paper; empty for what is not built in.
        builder: the builder where this process has registered it already; None where loading imports it.
    """

    name: str
    package: str
    version: str | None
    module: str
    function: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    builder: Builder | None = field(default=None, repr=False, compare=False)

    @property
    def key(self) -> tuple[str, str]:
        """Top-level module and bare name: what identifies a backbone however it is spelled."""
        return self.module.partition(".")[0], self.bare_name

    @property
    def bare_name(self) -> str:
        """The name without its package."""
        return self.name.rpartition("/")[2]

    @property
    def built_in(self) -> bool:
        """Whether it belongs to this project."""
        return self.key[0] == OWN_MODULE

    @property
    def source(self) -> str:
        """Package and version, as in ``my-nets 0.2``."""
        return f"{self.package} {self.version}" if self.version else self.package

    @property
    def import_path(self) -> str:
        """What stands as ``class_path`` in a config: ``resnet_zoo.backbones.NAME`` for the built-in ones."""
        return f"{OWN_MODULE}.backbones.{self.name}" if self.built_in else f"{self.module}.{self.function}"

    def provenance(self) -> dict[str, str | None]:
        """Where the code comes from, as plain values for a run's record."""
        return {"name": self.name, "package": self.package, "version": self.version, "module": self.module}

    def load(self) -> Builder:
        """The builder, which notes on each backbone how it was made.

        Raises:
            BrokenBackbone: the import fails, or what was found is not a builder.
        """
        if self.builder is not None:
            return self.builder
        found = self.find()
        described = f"backbone {self.name!r} of {self.source} cannot be used"
        try:
            check_builder(found)
        except InvalidValue as mistake:
            raise BrokenBackbone(f"{described}: {mistake}") from mistake
        if self.name != self.import_path and found.__name__ != self.bare_name:
            raise BrokenBackbone(
                f"{described}: its entry point {self.bare_name!r} leads to a function named {found.__name__!r} in "
                f"{self.module}. Give the entry point the function's name."
            )
        return found if records_arguments(found) else record_arguments(found, lambda: self.name)

    def find(self) -> Any:
        """What the name leads to, imported but not checked; ``load`` is for those who want to call it.

        Raises:
            BrokenBackbone: the import fails.
        """
        if self.builder is not None:
            return self.builder
        try:
            if not self.function:
                raise ValueError("an entry point must read 'module:function'")
            return functools.reduce(getattr, self.function.split("."), importlib.import_module(self.module))
        except Exception as error:  # a plugin may fail in any way while it is imported
            raise BrokenBackbone(
                f"backbone {self.name!r} of {self.source} cannot be loaded: importing {self.function!r} from module "
                f"{self.module!r} raised {type(error).__name__}: {error}. All other backbones keep working; mend or "
                f"update {self.package}."
            ) from error
