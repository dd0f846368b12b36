"""``resnet-zoo list``: every backbone, built in or from a plugin, without importing any. Standard library only."""

from __future__ import annotations

import fnmatch
import json
import re
from typing import Any

from resnet_zoo.cli.figures_cache import remembered_figures
from resnet_zoo.cli.parser import CommandParser
from resnet_zoo.entry import BackboneEntry
from resnet_zoo.errors import unknown_name
from resnet_zoo.registry import registry

_FIGURES = ("family", "parameters", "multiply_adds", "input_size", "num_classes", "paper")
_TITLES = ("name", "family", "parameters", "multiply-adds", "input", "source", "paper")
_RIGHT_ALIGNED = ("parameters", "multiply-adds", "input")


def main(argv: list[str]) -> int:
    """Print the table, or with ``--json`` the same as a list of records."""
    parser = CommandParser(
        "list",
        "Every backbone: name, family, parameters, multiply-adds for one image, input size in pixels, source, paper.\n"
        "Parameters and multiply-adds include the usual head; '-' stands for a plugin's backbone that was never built\n"
        "here: 'resnet-zoo describe NAME' builds and measures it.",
        "resnet-zoo list 'resnet*'",
    )
    parser.add_argument(
        "pattern", nargs="?", default="*", help="shell pattern for the names, such as 'resnet*'"
    )
    parser.add_argument("--json", action="store_true", help="print records instead of a table")
    options = parser.parse_args(argv)
    entries = _matching(options.pattern)
    records = [_record(entry) for entry in sorted(entries, key=_order)]
    print(json.dumps(records, indent=2) if options.json else _table(records))
    return 0


def _matching(pattern: str) -> list[BackboneEntry]:
    entries = registry.entries()
    found = [entry for entry in entries if fnmatch.fnmatchcase(entry.name, pattern)]
    if not found:
        names = [entry.name for entry in entries]
        wider = f"*{pattern.strip('*')}*"
        next_step = (
            f"A pattern stands for whole names: try {wider!r}." if fnmatch.filter(names, wider) else ""
        )
        raise unknown_name("backbone", pattern, names, next_step or "See 'resnet-zoo list'.")
    return found


def _order(entry: BackboneEntry) -> tuple[bool, str, list[tuple[int, str]]]:
    """Built-in ones first, by family, then resnet18 before resnet101."""
    pieces = re.split(r"(\d+)", entry.name)
    natural = [(int(piece), "") if piece.isdigit() else (0, piece) for piece in pieces]
    return not entry.built_in, str(entry.figures.get("family", "")), natural


def _record(entry: BackboneEntry) -> dict[str, Any]:
    figures = entry.figures or remembered_figures(entry)
    source = {"package": entry.package, "version": entry.version, "module": entry.module}
    return {"name": entry.name, **{key: figures.get(key) for key in _FIGURES}, "source": source}


def _table(records: list[dict[str, Any]]) -> str:
    rows = [_TITLES, *(_cells(record) for record in records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if title in _RIGHT_ALIGNED else cell.ljust(width)
            for cell, width, title in zip(row, widths, _TITLES, strict=True)
        ).rstrip()
        for row in rows
    )


def _cells(record: dict[str, Any]) -> tuple[str, ...]:
    source = record["source"]
    return (
        record["name"],
        record["family"] or "-",
        in_units(record["parameters"]),
        in_units(record["multiply_adds"]),
        str(record["input_size"] or "-"),
        f"{source['package']} {source['version'] or ''}".strip(),
        record["paper"] or "-",
    )


def in_units(count: int | None) -> str:
    """A count with three digits and its unit: 269722 is ``270 k``; ``-`` where it is not known."""
    if count is None:
        return "-"
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= 0.9995 * size:
            scaled = count / size
            decimals = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
            return f"{scaled:.{decimals}f} {unit}"
    return str(count)
