"""What a run leaves for W&B, whatever its server does; and that the training never waits for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from resnet_zoo.loggers import default_loggers, resolve_mode
from resnet_zoo.loggers import wandb as our_wandb
from resnet_zoo.runs import RunDirectory
from tests.loggers.wandb_file import segments
from tests.loggers.wandb_runs import begin, log, processes_of, wait_until, written
from tests.loggers.wandb_server import Manner, StandIn

pytestmark = pytest.mark.usefixtures("on_a_busy_machine")

KEY = "swordfish" * 5


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
