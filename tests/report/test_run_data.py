"""What is read from run directories, how a run ended, and what a mistake is told."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from resnet_zoo.errors import InvalidValue, MissingData
from resnet_zoo.report import run_status
from resnet_zoo.report.run_data import RunData, read_runs, short_labels
from tests.report import run_folders
from tests.report.run_folders import age, training_rows, write_run


def config_of(path: Path) -> Mapping[str, Any]:
    values: Mapping[str, Any] = json.loads(path.read_text())
    return values


def read(*paths: Path) -> list[RunData]:
    return read_runs(paths, config_of)


def test_a_finished_run(tmp_path: Path) -> None:
    (run,) = read(write_run(tmp_path / "runs" / "quick" / "1"))
    assert run.label == "quick/1"
    assert run.status.kind == "finished"
    assert run.status.sentence == "finished after 12 of 12 epochs"
    assert run.results["test.json"].correct1 == 365
    assert run.convergence is not None
    assert run.convergence.verdict == "converged"
    assert run.missing == []


def test_the_last_rows_tell_whether_a_run_is_going_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_run(tmp_path / "a", training_rows(5), tested=False)
    now = (path / "metrics.csv").stat().st_mtime
    monkeypatch.setattr(run_status.time, "time", lambda: now + 10)
    assert read(path)[0].status.kind == "in progress"
    monkeypatch.setattr(run_status.time, "time", lambda: now + 7200)
    status = read(path)[0].status
    assert status.kind == "interrupted"
    assert status.sentence == "interrupted after 5 of 12 epochs, last row 2 h 0 min ago"


def test_a_run_that_stopped_early_and_was_tested_is_finished(tmp_path: Path) -> None:
    assert (
        read(write_run(tmp_path / "a", training_rows(5)))[0].status.sentence
        == "finished after 5 of 12 epochs"
    )


def test_a_run_that_was_continued_after_its_test_is_not_finished(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a", training_rows(5))
    age(path / "test.json", 3600)
    assert read(path)[0].status.kind == "in progress"


def test_updates_count_where_the_trainer_counts_them(tmp_path: Path) -> None:
    settings = run_folders.config(max_epochs=-1, max_steps=200)
    run = read(write_run(tmp_path / "a", training_rows(20), tested=False, settings=settings))[0]
    assert run.status.sentence == "finished after 200 of 200 updates"


def test_a_loss_that_is_no_number_is_a_diverged_run(tmp_path: Path) -> None:
    rows = training_rows(12)
    rows[7]["train/loss"] = math.nan
    run = read(write_run(tmp_path / "a", rows))[0]
    assert run.status.kind == "diverged"
    assert "train/loss is NaN after update 30" in run.status.sentence
    assert run.convergence is None


@pytest.mark.parametrize("kind", ["diverged", "failed"])
def test_the_status_file_tells_what_the_rows_cannot(tmp_path: Path, kind: str) -> None:
    path = write_run(tmp_path / "a", training_rows(3), tested=False)
    (path / "status.json").write_text(json.dumps({"status": kind, "message": "the loss is nan"}))
    status = read(path)[0].status
    assert status.kind == kind
    assert status.sentence == f"{kind} after 3 of 12 epochs: the loss is nan"


def test_a_mere_evaluation_has_results_but_no_rows(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a")
    (path / "metrics.csv").unlink()
    (path / "record.json").write_text(json.dumps(run_folders.record() | {"evaluates": "other/best.ckpt"}))
    run = read(path)[0]
    assert run.status.sentence == "evaluation of other/best.ckpt"
    assert run.missing == []
    assert run.convergence is None


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a")
    (path / "config.yaml").unlink()
    (path / "record.json").unlink()
    run = read(path)[0]
    assert run.missing == ["config.yaml", "record.json"]
    assert run.status.kind == "finished"


def test_further_result_files_are_found(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a")
    (path / "last-train.json").write_text(json.dumps(run_folders.result(split="train")))
    (path / "notes.json").write_text("{}")
    assert list(read(path)[0].results) == ["test.json", "last-train.json"]


def test_a_changed_digit_is_noticed(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a")
    (path / "test.json").write_text(json.dumps(run_folders.result(top1=92.25)))
    with pytest.raises(
        InvalidValue, match=r"test\.json.*top1=92\.25 is not 365 of 400, which is 91\.25.*run it again"
    ):
        read(path)


@pytest.mark.parametrize("name", ["record.json", "status.json", "extra.json"])
def test_broken_json_is_named(tmp_path: Path, name: str) -> None:
    path = write_run(tmp_path / "a")
    (path / name).write_text("{")
    with pytest.raises(
        InvalidValue, match=rf"{name}: not valid JSON .* Expected the object that 'fit' wrote"
    ):
        read(path)
    (path / name).write_text("[]")
    with pytest.raises(InvalidValue, match=rf"{name}: expected a JSON object, found list"):
        read(path)


def test_labels_tell_runs_apart() -> None:
    paths = [Path("/r/quick/1"), Path("/r/quick/2"), Path("/r/mine"), Path("/s/quick/1")]
    assert short_labels(paths) == ["r/quick/1", "quick/2", "mine", "s/quick/1"]
    with pytest.raises(InvalidValue, match="'/r/mine' is named twice"):
        short_labels([Path("/r/mine"), Path("/r/x/../mine")])


def test_a_wrong_path_names_the_nearest_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("quick/1", "quick/2", "other/1"):
        write_run(Path("runs") / name)
    with pytest.raises(
        MissingData, match=r"'runs/quik/1': there is no such folder\. Runs near it: 'runs/quick/1', "
    ):
        read(Path("runs/quik/1"))
    with pytest.raises(
        MissingData, match=r"'runs/quick' is not a run directory.* near it: 'runs/quick/1', 'runs/quick/2'\.$"
    ):
        read(Path("runs/quick"))
    with pytest.raises(
        MissingData, match=r"'runs/quick/1/config\.yaml' is a file.* The run is 'runs/quick/1'\."
    ):
        read(Path("runs/quick/1/config.yaml"))


def test_without_any_run_the_next_step_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"There is no run below .* 'resnet-zoo fit' makes them"):
        read(tmp_path / "nothing")


def test_a_run_that_has_just_begun_has_nothing_to_report(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a")
    (path / "metrics.csv").unlink()
    (path / "test.json").unlink()
    with pytest.raises(
        MissingData, match=r"nothing to report yet: it holds config\.yaml, record\.json, but neither"
    ):
        read(path)
