"""Reading the table: each update told once, and a broken file named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from resnet_zoo.errors import InvalidValue
from resnet_zoo.report.metrics_table import MetricsTable, read_metrics

HEADER = "step,epoch,train/loss,val/top1\n"


def read(tmp_path: Path, text: str) -> MetricsTable:
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    return read_metrics(path)


def test_rows_of_one_update_become_one(tmp_path: Path) -> None:
    table = read(tmp_path, HEADER + "5,0,2.0,\n10,0,1.5,\n10,0,,60\n20,1,nan,\n")
    assert [row.step for row in table.rows] == [5, 10, 20]
    assert table.rows[1].values == {"train/loss": 1.5, "val/top1": 60.0}
    assert table.columns == ("train/loss", "val/top1")
    assert table.repeated == 0
    assert [(row.step, value) for row, value in table.column("val/top1")] == [(10, 60.0)]


def test_a_resumed_run_tells_the_later_story(tmp_path: Path) -> None:
    first = "10,0,9,\n10,0,,10\n20,1,8,\n20,1,,20\n30,2,7,\n"
    again = "20,1,3,\n20,1,,80\n30,2,2,\n"
    table = read(tmp_path, HEADER + first + again)
    assert [(row.step, row.values["train/loss"]) for row in table.rows] == [(10, 9), (20, 3), (30, 2)]
    assert table.column("val/top1")[-1][1] == 80.0
    assert table.repeated == 1
    # Resumed where the rows end: the same update once more, the later values count.
    table = read(tmp_path, HEADER + "10,0,9,\n20,1,8,\n20,1,3,\n")
    assert table.column("train/loss")[-1][1] == 3.0


def test_the_test_at_the_end_does_not_move_the_epoch(tmp_path: Path) -> None:
    table = read(tmp_path, "step,epoch,train/loss,test/top1\n10,0,1,\n10,1,,90\n")
    assert table.rows[0].epoch == 0
    assert table.rows[0].values["test/top1"] == 90.0


@pytest.mark.parametrize("text", ["", HEADER, HEADER + "10,0,1.0", "step,epo"])
def test_what_is_still_being_written_is_no_mistake(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text).rows == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("loss,accuracy\n1,2\n", r"metrics\.csv:1: not the header of a metrics table: 'loss, accuracy'\. Expected"),
        ("step,epoch,a,a\n1,0,2,3\n", r"metrics\.csv:1: not the header"),
        (HEADER + "10,0,1\n20,1,1,\n", r"metrics\.csv:2: 3 cells, but the header names 4 columns"),
        (HEADER + "10,0,1,\n20,1,1.O,\n", r"metrics\.csv:3: column 'train/loss' holds '1\.O', which is not a number"),
        (HEADER + ",0,1,\n", r"metrics\.csv:2: 'step' is nan"),
        (HEADER + "10,nan,1,\n", r"metrics\.csv:2: .*'epoch' nan"),
        (HEADER + "10,,1,\n", r"column 'epoch' is empty"),
    ],
)  # fmt: skip
def test_a_malformed_table_is_explained(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        read(tmp_path, text)


def test_a_binary_file_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes(b"\x89PNG\xff\xfe\n")
    with pytest.raises(
        InvalidValue, match=r"metrics\.csv: not a text file .* Expected the columns 'step' and 'epoch'"
    ):
        read_metrics(path)
