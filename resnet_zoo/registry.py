"""Every backbone by its name: the built-in ones, those of plugins, the user's own. Standard library only.

A name is resolved once, here. Built-in names come from the golden file of parameters and multiply-adds, plugins'
names from the entry-point group ``resnet_zoo.backbones``; neither imports the code behind the name until it is asked
for, so listing is fast and a broken plugin hurts nobody who does not use it.
"""

from __future__ import annotations

import fnmatch
import importlib
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from difflib import SequenceMatcher
from inspect import isfunction
from itertools import takewhile
from pathlib import Path
from types import ModuleType
from typing import Any

from resnet_zoo import __version__
from resnet_zoo.builders import Builder, Net, Parameters, check_arguments, check_builder, record_arguments
from resnet_zoo.entry import OWN_MODULE, BackboneEntry, BrokenBackbone
from resnet_zoo.errors import InvalidValue, UnknownName, nearest_names, unknown_name
from resnet_zoo.plugins import installed_offers, package_of_module

GOLDEN_FILE = Path(__file__).parent / "backbones" / "complexity.json"
OWN_PACKAGE = "resnet-zoo"


class BackboneRegistry:
    """The names of all backbones. The process uses one instance, ``registry``.

    Args:
        golden_file: JSON list of the built-in backbones: name, module, family, parameters, multiply_adds,
            input_size, num_classes, paper.
    """

    def __init__(self, golden_file: Path = GOLDEN_FILE) -> None:
        self._golden_file = golden_file
        self._registered: dict[tuple[str, str], Builder] = {}  # by top-level module and name

    def register(self, builder: Callable[Parameters, Net]) -> Callable[Parameters, Net]:
        """Give a backbone the name of its builder; used as the decorator ``@register_backbone``.

        Returns:
            the builder with the same signature, which now notes on each backbone how it was made:
            ``backbone.built_by = {"name": ..., "arguments": {...}}``.

        Raises:
            InvalidValue: another function has the name, or the function is not a builder: it lacks a docstring or a
                return annotation, or takes ``*args``, ``**kwargs`` or positional-only arguments.
        """
        check_builder(builder)
        mine = _entry_in_process(builder)
        rival = self._rival_of(mine)
        if rival is not None:
            raise InvalidValue(
                f"the backbone name {mine.name!r} is taken: {rival.source} has it in module {rival.module}, and "
                f"{mine.source} registers it again in module {mine.module}. Rename one of the two functions."
            )
        recording = record_arguments(builder, lambda: self._spelling_of(mine))
        self._registered[mine.key] = recording
        return recording

    def names(self, pattern: str = "*") -> list[str]:
        """Sorted names that match a shell pattern such as ``resnet*``."""
        return sorted(entry.name for entry in self.entries() if fnmatch.fnmatchcase(entry.name, pattern))

    def entries(self) -> list[BackboneEntry]:
        """Every known backbone under the spelling that finds it, without importing any."""
        plugins = [self._with_builder(BackboneEntry(*offer)) for offer in installed_offers()]
        offered = {plugin.key for plugin in plugins}
        in_process = (_entry_in_process(builder) for builder in self._registered.values())
        users = [entry for entry in in_process if not entry.built_in and entry.key not in offered]
        own = [*self._built_in(), *users]
        claims = Counter(entry.name for entry in [*own, *plugins])
        return [*own, *(_qualified(plugin) if claims[plugin.name] > 1 else plugin for plugin in plugins)]

    def resolve(self, name: str) -> BackboneEntry:
        """The entry for a name, for ``package/name``, or for the import path of a builder.

        Raises:
            UnknownName: nothing has that name; the text holds the nearest one and the plugins searched.
            InvalidValue: several plugins offer the name; the text names them and the spelling that tells them apart.
            BrokenBackbone: an import path whose module fails to import.
        """
        entries = self.entries()
        for entry in entries:
            if name == entry.name or ("/" in name and _folded(name) == _folded(_qualified(entry).name)):
                return entry
        rivals = [entry for entry in entries if entry.bare_name == name]
        if rivals:
            sources = " and ".join(f"{rival.source} (module {rival.module})" for rival in rivals)
            spellings = " or ".join(repr(rival.name) for rival in rivals)
            raise InvalidValue(
                f"several plugins offer a backbone named {name!r}: {sources}. Write {spellings}."
            )
        path = name.replace(":", ".")  # entry points write 'module:function'
        if "." in path and "/" not in path:
            return self._at_import_path(path)
        known = [entry.name for entry in entries]
        raise unknown_name("backbone", name, _nearest(name, known) or known, _where_to_look())

    def create(self, name: str, **arguments: Any) -> Any:
        """Build the backbone of that name, an ``nn.Module``, with its builder's arguments.

        Raises:
            InvalidValue: an argument that the builder does not have, or one that it needs is missing.
        """
        builder = self.resolve(name).load()
        check_arguments(name, builder, arguments)
        return builder(**arguments)

    def _built_in(self) -> list[BackboneEntry]:
        entries = {}
        for record in _golden_records(self._golden_file):
            name, module = record.pop("name"), record.pop("module")
            entry = BackboneEntry(name, OWN_PACKAGE, __version__, module, name, figures=record)
            entries[name] = self._with_builder(entry)
        for (top, name), builder in self._registered.items():
            if top == OWN_MODULE and name not in entries:  # not in the golden file yet
                entries[name] = _entry_in_process(builder)
        return list(entries.values())

    def _with_builder(self, entry: BackboneEntry) -> BackboneEntry:
        return replace(entry, builder=self._registered.get(entry.key))

    def _rival_of(self, mine: BackboneEntry) -> BackboneEntry | None:
        """What has the name already; the same function, registered again by a module reload, is no rival."""
        earlier = self._registered.get(mine.key)
        if earlier is not None and (earlier.__module__, earlier.__qualname__) != (mine.module, mine.function):
            return _entry_in_process(earlier)
        offered = {BackboneEntry(*offer).key for offer in installed_offers()}
        if (
            mine.built_in or mine.key in offered
        ):  # a clash of these is settled by package/name when it is asked for
            return None
        return next(
            (entry for entry in self.entries() if entry.bare_name == mine.name and entry.key != mine.key),
            None,
        )

    def _spelling_of(self, mine: BackboneEntry) -> str:
        return next((entry.name for entry in self.entries() if entry.key == mine.key), mine.name)

    def _at_import_path(self, path: str) -> BackboneEntry:
        module, _, function = path.rpartition(".")
        if module == f"{OWN_MODULE}.backbones":
            return self.resolve(function)
        found = getattr(_import_for(path, module), function, None)
        if found is None:
            public = (item for item in vars(sys.modules[module]).items() if not item[0].startswith("_"))
            offered = [name for name, value in public if isfunction(value)]
            raise unknown_name(f"backbone in module {module!r}", function, offered)
        for entry in self.entries():
            if entry.builder is found:
                return entry
        return BackboneEntry(path, *package_of_module(module), module, function)


def _entry_in_process(builder: Builder) -> BackboneEntry:
    module = builder.__module__
    own = module.partition(".")[0] == OWN_MODULE
    package, version = (OWN_PACKAGE, __version__) if own else package_of_module(module)
    return BackboneEntry(builder.__name__, package, version, module, builder.__qualname__, builder=builder)


def _qualified(entry: BackboneEntry) -> BackboneEntry:
    return replace(entry, name=f"{entry.package}/{entry.bare_name}")


def _folded(name: str) -> str:
    """``package/name`` with the package spelled as package indexes compare them: My_Nets is my-nets."""
    package, _, bare = name.rpartition("/")
    return f"{package.casefold().replace('_', '-').replace('.', '-')}/{bare}"


def _nearest(name: str, known: list[str]) -> list[str]:
    """The name that looks most like the given one; of several, the one that begins like it the longest."""

    def likeness(candidate: str) -> tuple[float, int]:
        ratio = SequenceMatcher(None, candidate.casefold(), name.casefold()).ratio()
        return ratio, len(
            list(takewhile(lambda pair: pair[0] == pair[1], zip(candidate, name, strict=False)))
        )

    return sorted(nearest_names(name, known, count=5), key=likeness)[-1:]


def _golden_records(golden_file: Path) -> list[dict[str, Any]]:
    if not golden_file.exists():  # while the file itself is being made, the names come from what is imported
        return []
    records: list[dict[str, Any]] = json.loads(golden_file.read_text(encoding="utf-8"))
    return records


def _where_to_look() -> str:
    counts = Counter(f"{offer.package} {offer.version}" for offer in installed_offers())
    searched = ", ".join(
        f"{source} ({count} name{'s' * (count > 1)})" for source, count in sorted(counts.items())
    )
    return f"See 'resnet-zoo list'; {'plugins searched: ' + searched if searched else 'no plugins are installed'}."


def _import_for(path: str, module: str) -> ModuleType:
    """Import a module that a user named; the current directory counts, as it does for ``python -m``.

    It is searched last, so that a local file cannot stand in for an installed package.
    """
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
        importlib.invalidate_caches()
    try:
        return importlib.import_module(module)
    except Exception as error:  # the user's module may fail in any way while it is imported
        if (
            isinstance(error, ModuleNotFoundError)
            and error.name
            and f"{module}.".startswith(f"{error.name}.")
        ):
            raise UnknownName(
                f"no backbone named {path!r}: there is no module {error.name!r} in the installed packages or in the "
                f"current directory ({here}). See 'resnet-zoo list' for the names that need no import path."
            ) from error
        raise BrokenBackbone(
            f"backbone {path!r} cannot be loaded: importing {module!r} raised {type(error).__name__}: {error}."
        ) from error


registry = BackboneRegistry()
register_backbone = registry.register


def list_backbones(pattern: str = "*") -> list[str]:
    """Sorted names of all backbones, built in and from plugins, that match a shell pattern such as ``resnet*``."""
    return registry.names(pattern)
