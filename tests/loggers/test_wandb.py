"""What a run leaves for W&B, whatever its process, its server and the disk do; and that the training never waits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from resnet_zoo.loggers import RunWandbLogger, WandbSettings, default_loggers, resolve_mode, wandb_mode
from resnet_zoo.loggers import wandb as our_wandb
from resnet_zoo.runs import RunDirectory
from tests.loggers.wandb_file import segments
from tests.loggers.wandb_server import Manner, StandIn

KEY = "swordfish" * 5
PATIENCE = 200.0
"""Seconds of what has nothing to do with time, on a machine that is busy."""


@pytest.fixture(autouse=True)
def on_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(our_wandb, "START_WITHIN", PATIENCE)
    monkeypatch.setattr(wandb_mode, "REACHABLE_WITHIN", PATIENCE)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    run = RunDirectory.create(tmp_path / "runs", "quickstart")
    run.config.write_text("seed_everything: 0\n")
    run.record.write_text("{}\n")
    run.checkpoints.mkdir()
    for name in ("last.ckpt", "best.ckpt"):
        (run.checkpoints / name).write_bytes(name.encode())
    return run


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Manner], StandIn]]:
    started: list[StandIn] = []

    def start(manner: Manner) -> StandIn:
        stand_in = StandIn(manner)
        started.append(stand_in)
        stand_in.__enter__()
        monkeypatch.setenv("WANDB_BASE_URL", stand_in.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        monkeypatch.delenv("WANDB_MODE", raising=False)
        return stand_in

    yield start
    for stand_in in started:
        stand_in.__exit__()


def begin(run: RunDirectory, mode: Any, **settings: Any) -> RunWandbLogger:
    chosen = WandbSettings(**{"finish_within": PATIENCE, **settings})
    return RunWandbLogger(run, chosen, mode, {"model": {"backbone": "resnet20_cifar"}})


def log(logger: RunWandbLogger, *steps: int) -> None:
    """Rows as a training writes them: one of training and one of validation at every step.

    The process stands still meanwhile: a row that waited for it would wait forever.
    """
    for step in steps:
        logger.log_metrics({"epoch": 0, "train/loss": 1.0 / (1 + step)}, step=step)
        with standing_still(logger.process_id):
            logger.log_metrics({"epoch": 0, "val/top1": float(step)}, step=step)


@contextmanager
def standing_still(process: int | None) -> Iterator[None]:
    """Where there is one: it may have ended, but nobody has asked how, so that its number is still its own."""
    if process is None:
        yield
        return
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def processes_of(parent: int | None) -> list[str]:
    """wandb's services that were started for a process."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"--pid" in words and words[words.index(b"--pid") + 1] == str(parent).encode():
            found.append(file.parent.name)
    return found


def written(run: RunDirectory) -> bytes:
    return b"".join(path.read_bytes() for path in run.path.rglob("*") if path.is_file())


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


def test_a_server_that_hangs_costs_no_time_and_no_row(
    run: RunDirectory,
    server: Callable[[Manner], StandIn],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    server("hang")
    monkeypatch.setattr(our_wandb, "START_WITHIN", 1.0)
    assert resolve_mode("auto")[0] == "online"
    logger = begin(run, "online")
    log(logger, 10, 20)
    process = logger.process_id
    logger.close()
    wait_until(lambda: not processes_of(process))
    assert "server did not start the run" in capfd.readouterr().err
    [segment] = [segment for segment in segments(run.path) if segment.rows]
    assert segment.path.parent.name.startswith("offline-run-")
    assert segment.steps == [10, 20]
    assert KEY.encode() not in written(run)
    # What was kept offline goes first, so the next start keeps offline too.
    assert default_loggers(run)[1].notice.startswith(
        "W&B: offline (an earlier part of this run is still to be sent)"
    )  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("manner", ["refuse", "forbid"])
def test_a_server_that_refuses_costs_no_row(
    run: RunDirectory,
    server: Callable[[Manner], StandIn],
    manner: Manner,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    server(manner)
    monkeypatch.setattr(our_wandb, "START_WITHIN", 2.0)
    logger = begin(run, "online")
    log(logger, 10, 20)
    logger.close()
    assert "server did not start the run" in capfd.readouterr().err
    assert [segment.steps for segment in segments(run.path) if segment.rows] == [[10, 20]]


@pytest.mark.slow
@pytest.mark.parametrize("later", ["hang", "refuse", "forbid"])
def test_a_server_that_breaks_in_the_middle_ends_in_a_bounded_time(
    run: RunDirectory,
    server: Callable[[Manner], StandIn],
    later: Manner,
    capfd: pytest.CaptureFixture[str],
) -> None:
    stand_in = server("accept")
    logger = begin(run, "online", finish_within=12.0)
    log(logger, 10, 20)
    wait_until(lambda: stand_in.upserts > 0)
    stand_in.manner = later
    log(logger, 30, 40)
    wait_until(lambda: run.wandb_step.exists() and run.wandb_step.read_text() == "30\n")  # and 40 is pending
    process = logger.process_id
    logger.close()  # this is back, and the server still as it was
    assert stand_in.manner == later
    wait_until(lambda: not processes_of(process))
    [segment] = segments(run.path)
    assert segment.steps == [10, 20, 30, 40]


@pytest.mark.slow
def test_a_server_gets_everything_and_a_resumed_run_continues_there(
    run: RunDirectory, server: Callable[[Manner], StandIn], capfd: pytest.CaptureFixture[str]
) -> None:
    stand_in = server("accept")
    first = begin(run, "online")
    first.attach([run.config])
    log(first, 10, 20, 30)
    first.close(exit_code=85)
    run.wandb_step.unlink()  # the server knows as well
    second = begin(run, "online")
    log(second, 20, 30, 40)
    second.close()
    assert [row["_step"] for row in stand_in.rows] == [10, 20, 30, 40]
    assert stand_in.offsets[-1] == 3
    assert stand_in.exit_codes == [85, 0]
    assert stand_in.files["run_directory/config.yaml"] == run.config.read_bytes()
    assert KEY.encode() not in written(run)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_offline_segments_arrive_as_one_history(
    run: RunDirectory, server: Callable[[Manner], StandIn]
) -> None:
    for steps in ((10, 20, 30), (20, 30, 40)):
        logger = begin(run, "offline")
        log(logger, *steps)
        logger.close()
    stand_in = server("accept")
    folders = sorted(str(path) for path in (run.path / "wandb").glob("offline-run-*"))
    assert len(folders) == 2
    command = [sys.executable, "-m", "wandb", "sync", *folders]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert [row["_step"] for row in stand_in.rows] == [10, 20, 30, 40]


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


def wait_until(condition: Callable[[], bool]) -> None:
    """As long as it takes; what never happens ends with the time that a test has."""
    while not condition():
        time.sleep(0.05)


def test_the_settings_that_keep_it_bounded_are_still_there(run: RunDirectory) -> None:
    """The process leaves out what its wandb does not know; that must not go unnoticed."""
    import wandb

    first = begin(run, "offline")
    assert {*first._first_message()["settings"], "init_timeout"} <= set(wandb.Settings.model_fields)
