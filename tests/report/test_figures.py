"""What a report holds refuses to be inconsistent."""

from __future__ import annotations

import pytest

from resnet_zoo.errors import InvalidValue
from resnet_zoo.report import BarFigure, BarGroup, Mark, Series, Table


def test_a_curve_needs_a_value_for_each_position() -> None:
    with pytest.raises(InvalidValue, match="'a' has 2 positions and 1 values of y"):
        Series("a", [1, 2], [1])
    with pytest.raises(InvalidValue, match="2 positions and 3 values of spread_high"):
        Series("a", [1, 2], [1, 2], spread_low=[1, 1], spread_high=[1, 2, 3])
    with pytest.raises(InvalidValue, match="'a' has one edge of its band"):
        Series("a", [1, 2], [1, 2], spread_low=[1, 1])


def test_a_mark_must_be_somewhere() -> None:
    with pytest.raises(InvalidValue, match="'chance' is nowhere"):
        Mark("chance")


def test_bars_and_rows_fill_their_table() -> None:
    with pytest.raises(InvalidValue, match="'ours' of figure 'cost' has 1 values for 2 categories"):
        BarFigure("cost", "Cost", "units", ["a", "b"], [BarGroup("ours", [1.0])])
    with pytest.raises(InvalidValue, match=r"table 'T' has 2 columns and a row of 3 cells: \[1, 2, 3\]"):
        Table("T", ["a", "b"], [[1, 2, 3]])
