"""Remembered sizes of plugins' backbones. Standard library only.

The sizes of built-in backbones ship with the package. A plugin's are known once a command has built the backbone, and
are kept in the user's cache folder for that version of the plugin, so that ``list`` can show them without importing
it. The cache is a convenience: where it cannot be written or read, nothing is remembered.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from resnet_zoo.cache import cache_folder
from resnet_zoo.entry import BackboneEntry


def remembered_figures(entry: BackboneEntry) -> dict[str, Any]:
    """Family, parameters, multiply_adds, input_size, num_classes and paper as last measured; empty if never."""
    with suppress(OSError, ValueError):
        figures = json.loads(_file_for(entry).read_text(encoding="utf-8"))
        if isinstance(figures, dict):
            return figures
    return {}


def remember_figures(entry: BackboneEntry, figures: Mapping[str, Any]) -> None:
    """Keep what was measured of a plugin's backbone; nothing is kept of code that has no version."""
    if entry.built_in or entry.version is None:
        return
    with suppress(OSError):
        file = _file_for(entry)
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps(dict(figures), indent=1), encoding="utf-8")
        unfinished.replace(file)


def _file_for(entry: BackboneEntry) -> Path:
    parts = (entry.package, entry.version or "", entry.bare_name)
    name = "=".join(re.sub(r"[^\w.+-]", "_", part) for part in parts)
    return cache_folder("figures") / f"{name}.json"
