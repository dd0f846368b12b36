"""The table that all generated tables are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a column whose head ends in a colon is aligned to the right."""
    rule = ["---:" if title.endswith(":") else "---" for title in head]
    lines = [[title.removesuffix(":") for title in head], rule, *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
