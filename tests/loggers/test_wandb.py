"""What a run leaves for W&B, whatever its process and the disk do; and that the training never waits."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from resnet_zoo.loggers import wandb as our_wandb
from resnet_zoo.runs import RunDirectory
from tests.loggers.wandb_file import segments
from tests.loggers.wandb_runs import PATIENCE, begin, log, processes_of, wait_until, written

pytestmark = pytest.mark.usefixtures("on_a_busy_machine")


def test_offline_segments_are_one_history_without_a_step_twice(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["resnet-zoo", "fit", "--token", "opensesame"])
    first = begin(run, "offline")
    first.attach([run.config, run.record, run.path / "absent"])
    log(first, 10, 20, 30)
    # The training is killed: its process gets no word of an end, only the end of its input.
    process, first._process = first._process, None
    assert process is not None
    assert process.close(PATIENCE)[0] == "finished"
    # Since then the clock has been set back: what is written now must come after all the same.
    [folder] = (run.path / "wandb").glob("offline-run-*")
    folder.rename(folder.with_name(f"offline-run-20991231_235959-{first.version}"))

    run.result("test").write_text("{}\n")
    second = begin(run, "offline", log_checkpoints=True)
    log(second, 20, 30, 40, 50)  # from the checkpoint of step 10
    number = second.process_id
    second.close()
    wait_until(lambda: not processes_of(number))
    assert capfd.readouterr() == ("", "")

    one, two = segments(run.path)
    assert one.run_id == two.run_id == run.wandb_id.read_text().strip()
    assert one.of_kind("run")[0].resume
    assert two.of_kind("run")[0].resume
    assert one.steps + two.steps == [10, 20, 30, 40, 50]
    assert two.rows[0].items() >= {"epoch": 0, "train/loss": 1 / 41, "val/top1": 40}.items()
    assert (one.of_kind("exit")[0].exit_code, two.of_kind("exit")[0].exit_code) == (1, 0)
    attached = {path.name for path in (two.path.parent / "files/run_directory").iterdir()}
    assert attached == {"config.yaml", "record.json", "test.json"}
    sent = [entry.path for files in one.of_kind("files") for entry in files.files]
    assert [path for path in sent if path.startswith("run_directory/")] == [
        "run_directory/config.yaml", "run_directory/record.json",
    ]  # fmt: skip
    assert not one.of_kind("artifact")
    [artifact] = two.of_kind("artifact")
    assert {entry.path for entry in artifact.manifest.contents} == {"best.ckpt", "last.ckpt"}
    assert b"opensesame" not in written(run)


def test_a_process_that_cannot_start_or_dies_is_said_once(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(our_wandb, "PROGRAM", tmp_path / "absent.py")
    logger = begin(run, "offline")
    log(logger, *range(10, 60, 10))
    logger.close()
    logger.close()
    assert capfd.readouterr().err.count("W&B ended early") == 1
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    logger = begin(run, "offline")
    log(logger, *range(10, 60, 10))
    logger.close()
    assert capfd.readouterr().err.count("W&B: off for this run (its process could not be started") == 1


def test_a_folder_that_cannot_be_written_to_turns_wandb_off(
    run: RunDirectory, capfd: pytest.CaptureFixture[str]
) -> None:
    (run.path / "wandb").write_text("a file in the way")
    logger = begin(run, "offline")
    log(logger, 10)
    process = logger._process
    assert process is not None
    wait_until(
        lambda: logger.log_metrics({"epoch": 0}, step=20) or logger._is_off
    )  # it has given up, and said so
    logger.close()
    assert process._process.returncode is not None, "nothing is left of it"
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert "W&B: off for this run (" in error
    assert "metrics.csv has every row" in error


def test_the_settings_that_keep_it_bounded_are_still_there(run: RunDirectory) -> None:
    """The process leaves out what its wandb does not know; that must not go unnoticed."""
    import wandb

    first = begin(run, "offline")
    assert {*first._first_message()["settings"], "init_timeout"} <= set(wandb.Settings.model_fields)
