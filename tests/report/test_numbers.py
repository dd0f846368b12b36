"""How numbers are written."""

from __future__ import annotations

import math

import pytest

from resnet_zoo.report.numbers import MINUS, NOTHING, flattened, written, written_seconds


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (269722, "269,722"), (-3, f"{MINUS}3"), (0.0, "0"), (57.0, "57"), (8.75, "8.75"), (0.27134, "0.2713"),
        (1234.567, "1,235"), (2e-13, f"2.00e{MINUS}13"), (3.2e9, "3.20e+09"),
        (math.nan, "NaN"), (-math.inf, f"{MINUS}infinite"),
        (None, NOTHING), ("", NOTHING),
        (True, "yes"), ([1.0, None, "x"], f"1, {NOTHING}, x"), ([], NOTHING),
    ],
)  # fmt: skip
def test_values(value: object, text: str) -> None:
    assert written(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.24, "2.2 s"), (48.4, "48 s"), (59.7, "1 min 0 s"), (725, "12 min 5 s"), (12000, "3 h 20 min"),
     (400000, "5 days"), (None, NOTHING), (math.nan, NOTHING)],
)  # fmt: skip
def test_durations(seconds: float | None, text: str) -> None:
    assert written_seconds(seconds) == text


def test_nested_values_get_dotted_names() -> None:
    assert flattened({"a": {"b": {"c": 1}, "d": {}}, "e": [1]}) == {"a.b.c": 1, "a.d": {}, "e": [1]}
