"""How numbers and short texts are written in tables. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"
"""What stands where there is no value."""


def written(value: Any) -> str:
    """A value as a table shows it.

    Whole numbers get thousands separators, others four significant digits; None and empty text become a dash, a list
    its items, separated by commas.
    """
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace("-", MINUS)
    if isinstance(value, float):
        return _written_float(value)
    if isinstance(value, list | tuple):
        return ", ".join(written(item) for item in value) or NOTHING
    return str(value)


def _written_float(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "infinite" if value > 0 else f"{MINUS}infinite"
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if -4 <= exponent < 7:
        digits = f"{value:,.{max(0, 3 - exponent)}f}"
        digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    else:
        digits = f"{value:.2e}"
    return digits.replace("-", MINUS)


def written_seconds(seconds: float | None) -> str:
    """A duration: ``48 s``, ``12 min 5 s``, ``3 h 20 min``, ``12 days``."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole >= 4 * 86400:
        return f"{round(whole / 86400):,} days"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def flattened(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, keys joined by dots; an empty mapping stays as a value."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat.update(flattened(value, f"{path}."))
        else:
            flat[path] = value
    return flat
