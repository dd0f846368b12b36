"""metrics.csv: every row at once, new columns without loss, and going on where an earlier process stopped."""

from __future__ import annotations

import csv
import errno
import io
import os
from pathlib import Path

import pytest
import torch
from lightning.pytorch.utilities import rank_zero_only

from resnet_zoo.loggers import MetricsCSV, metrics_csv
from resnet_zoo.runs import RunDirectory


class HalfWritten(io.FileIO):
    """A file on a disk with room for three more bytes."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), "ab")

    def write(self, data: bytes) -> int:
        return super().write(data[:3])


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path)


def rows(run: RunDirectory) -> list[dict[str, str]]:
    with run.metrics.open(newline="") as file:
        return list(csv.DictReader(file))


def test_nothing_is_created_before_the_first_row(run: RunDirectory) -> None:
    logger = MetricsCSV(run)
    logger.log_hyperparams({"lr": 0.1})
    logger.finalize("success")
    assert not run.metrics.exists()


def test_a_row_is_in_the_file_as_soon_as_it_is_logged(run: RunDirectory) -> None:
    logger = MetricsCSV(run)
    logger.log_metrics({"epoch": 0, "train/loss": 2.5}, step=50)
    assert run.metrics.read_text() == "step,epoch,train/loss\n50,0,2.5\n"


def test_a_new_metric_adds_a_column_and_keeps_what_was_there(run: RunDirectory) -> None:
    logger = MetricsCSV(run)
    logger.log_metrics({"epoch": 0, "train/loss": 2.5}, step=50)
    logger.log_metrics({"epoch": 0, "val/top1": 10.0}, step=60)
    logger.log_metrics({"epoch": 1, "train/loss": 2.0}, step=100)
    assert run.metrics.read_text() == ("step,epoch,train/loss,val/top1\n50,0,2.5,\n60,0,,10.0\n100,1,2.0,\n")
    assert list(run.path.iterdir()) == [run.metrics]


def test_numbers_keep_all_their_digits_and_tensors_are_numbers(run: RunDirectory) -> None:
    logger = MetricsCSV(run)
    value = 0.1 + 0.2
    logger.log_metrics({"a": torch.tensor(value, dtype=torch.float64), "b": float("nan")}, step=1)
    [row] = rows(run)
    assert float(row["a"]) == value
    assert row["b"] == "nan"
    assert row["epoch"] == ""


def test_a_later_process_goes_on_below(run: RunDirectory) -> None:
    MetricsCSV(run).log_metrics({"epoch": 0, "a": 1.0, "b": 2.0}, step=1)
    later = MetricsCSV(run)
    later.log_metrics({"epoch": 1, "b": 3.0}, step=2)
    later.log_metrics({"epoch": 1, "c": 4.0}, step=3)
    assert run.metrics.read_text() == "step,epoch,a,b,c\n1,0,1.0,2.0,\n2,1,,3.0,\n3,1,,,4.0\n"


@pytest.mark.parametrize("rest", ["2,0,0.", "2", '"'])
def test_a_row_that_was_cut_off_is_dropped_and_not_continued(run: RunDirectory, rest: str) -> None:
    run.metrics.write_text("step,epoch,a\n1,0,1.0\n" + rest)
    MetricsCSV(run).log_metrics({"epoch": 0, "a": 5.0}, step=2)
    assert run.metrics.read_text() == "step,epoch,a\n1,0,1.0\n2,0,5.0\n"


def test_a_file_of_which_only_half_a_header_was_written_starts_again(run: RunDirectory) -> None:
    run.metrics.write_text("step,epo")
    MetricsCSV(run).log_metrics({"epoch": 0, "a": 5.0}, step=2)
    assert run.metrics.read_text() == "step,epoch,a\n2,0,5.0\n"


def test_rows_can_be_dropped_before_they_are_made_again(run: RunDirectory) -> None:
    logger = MetricsCSV(run)
    for step in (50, 100, 150):
        logger.log_metrics({"epoch": 0, "a": float(step)}, step=step)
    before = run.metrics.read_text()
    resumed = MetricsCSV(run)
    assert resumed.num_rows == 3
    assert resumed.keep_first_rows(2) == 1
    assert resumed.keep_first_rows(2) == 0
    resumed.log_metrics({"epoch": 0, "a": 0.0}, step=150)
    assert resumed.num_rows == 3
    assert [row["step"] for row in rows(run)] == ["50", "100", "150"]
    assert rows(run)[-1]["a"] == "0.0"
    assert (run.path / "metrics-1.csv").read_text() == before


def test_dropping_rows_where_there_is_no_file_drops_none(run: RunDirectory) -> None:
    assert MetricsCSV(run).keep_first_rows(0) == 0
    assert not run.metrics.exists()


def test_only_rank_zero_writes(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    MetricsCSV(run).log_metrics({"a": 1.0}, step=1)
    assert not run.metrics.exists()


def test_a_full_disk_stops_nothing_and_loses_nothing(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = MetricsCSV(run)
    logger.log_metrics({"epoch": 0, "a": 1.0}, step=1)
    whole = run.metrics.read_text()
    with monkeypatch.context() as full:
        full.setattr(metrics_csv, "open_to_append", HalfWritten)
        for step in (2, 3):
            logger.log_metrics({"epoch": 0, "a": float(step)}, step=step)
            assert run.metrics.read_text() == whole
    assert capsys.readouterr().err.count("cannot be written (No space left on device)") == 1
    logger.log_metrics({"epoch": 0, "a": 4.0}, step=4)
    assert run.metrics.read_text() == whole + "2,0,2.0\n3,0,3.0\n4,0,4.0\n"


def test_what_could_not_be_written_to_the_end_is_said(
    run: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    run.metrics.mkdir()
    logger = MetricsCSV(run)
    logger.log_metrics({"a": 1.0}, step=1)
    logger.close()
    assert "1 rows of" in capsys.readouterr().err
    run.metrics.rmdir()
    logger.close()
    assert run.metrics.read_text() == "step,epoch,a\n1,,1.0\n"


def test_a_disk_that_is_full_from_the_start_costs_no_column(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run.metrics.write_text("step,epoch,a,b\n1,0,1.0,2.0\n2,0,")

    def full(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    logger = MetricsCSV(run)
    with monkeypatch.context() as disk:
        disk.setattr(metrics_csv, "write_text_atomically", full)
        logger.log_metrics({"epoch": 0, "a": 5.0}, step=2)
    assert "its rows are kept in memory" in capsys.readouterr().err
    logger.close()
    assert run.metrics.read_text() == "step,epoch,a,b\n1,0,1.0,2.0\n2,0,5.0,\n"
