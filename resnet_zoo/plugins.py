"""Which installed packages offer backbones, read from their metadata without importing them. Standard library only."""

from __future__ import annotations

import functools
import importlib.metadata
import sys
from typing import NamedTuple

ENTRY_POINT_GROUP = "resnet_zoo.backbones"


class Offer(NamedTuple):
    """One line of a package's ``resnet_zoo.backbones`` entry points: ``name = "module:function"``."""

    name: str
    package: str
    version: str
    module: str
    function: str


def installed_offers() -> tuple[Offer, ...]:
    """What every package on ``sys.path`` offers; read anew when ``sys.path`` has changed."""
    return _offers_on(tuple(sys.path))


@functools.lru_cache(maxsize=1)
def _offers_on(_path: tuple[str, ...]) -> tuple[Offer, ...]:
    offers: dict[str, list[Offer]] = {}
    for distribution in importlib.metadata.distributions():
        try:
            lines = [line for line in distribution.entry_points if line.group == ENTRY_POINT_GROUP]
            if (
                lines and distribution.name not in offers
            ):  # the first on the path is the one that gets imported
                offers[distribution.name] = [
                    Offer(line.name, distribution.name, distribution.version, *_target(line.value))
                    for line in lines
                ]
        except Exception:  # metadata that cannot be read offers nothing; it may belong to any package at all
            continue
    return tuple(offer for of_package in offers.values() for offer in of_package)


def _target(value: str) -> tuple[str, str]:
    module, _, function = value.partition("[")[0].partition(":")
    return module.strip(), function.strip()


@functools.cache
def package_of_module(module: str) -> tuple[str, str | None]:
    """The distribution that ships a module, with its version; the top-level module and None where there is none."""
    top = module.partition(".")[0]
    for candidate in (top, *importlib.metadata.packages_distributions().get(top, [])):
        try:
            return importlib.metadata.metadata(candidate)["Name"], importlib.metadata.version(candidate)
        except importlib.metadata.PackageNotFoundError:
            continue
    return top, None
