from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from resnet_zoo.experiments import lease
from resnet_zoo.experiments.lease import Watch, holder, take
from resnet_zoo.runs.processes import this_process


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "leases" / "run"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(lease, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


class Clock:
    """The watcher's own."""

    now = 1000.0


def write_holder(folder: Path, **differences: object) -> Path:
    """A lease held by another process; returns its file."""
    file = folder / "1.json"
    file.write_text(json.dumps({**this_process(), **differences}))
    return file


def elsewhere(folder: Path) -> Path:
    return write_holder(folder, host="n7", place="n7", pid=1)


def test_only_one_holds_it(folder: Path) -> None:
    with take(folder, Watch()) or pytest.fail("free and not given"):
        assert take(folder, Watch(0.0)) is None
        present = holder(folder)
        assert present is not None
        assert not present.released
        assert str(present) == f"process {os.getpid()} on {platform.node()}"


def test_it_is_free_again_behind_the_block(folder: Path) -> None:
    for term in (1, 2, 3):
        held = take(folder, Watch())
        assert held is not None
        assert held.term == term
        with held:
            pass
    assert holder(folder) is not None


def test_it_is_free_after_an_error(folder: Path) -> None:
    with pytest.raises(RuntimeError), take(folder, Watch()) or pytest.fail("free and not given"):
        raise RuntimeError
    assert take(folder, Watch()) is not None


def test_a_process_of_this_machine_that_ended_is_succeeded_at_once(folder: Path) -> None:
    command = [sys.executable, "-c", "import os; print(os.getpid())"]
    child = subprocess.run(command, capture_output=True, text=True, check=True)
    write_holder(folder, pid=int(child.stdout))
    assert take(folder, Watch()) is not None


def test_a_process_id_that_was_given_out_again_is_no_holder(folder: Path) -> None:
    write_holder(folder, started="1")
    assert take(folder, Watch()) is not None


def test_a_holder_of_this_machine_that_lives_is_never_succeeded(folder: Path, clock: Clock) -> None:
    os.utime(write_holder(folder), (0, 0))
    watch = Watch()
    for _ in range(100):
        assert take(folder, watch) is None
        clock.now += 5


@pytest.mark.parametrize("days", [-1000, 0, 1000])
def test_a_holder_elsewhere_is_succeeded_after_a_silence_by_our_own_clock(
    folder: Path, clock: Clock, days: int
) -> None:
    then = time.time() + 86400 * days  # what its file system takes for the time is of no account
    os.utime(elsewhere(folder), (then, then))
    watch = Watch(silent_seconds=60)
    for _ in range(7):
        assert take(folder, watch) is None
        clock.now += 9
    second = take(folder, watch)
    assert second is not None
    assert second.term == 2
    assert take(folder, watch) is None


def test_every_sign_of_life_starts_the_silence_again(folder: Path, clock: Clock) -> None:
    file, watch = elsewhere(folder), Watch(silent_seconds=60)
    for second in range(0, 300, 10):
        os.utime(file, (second % 50, second % 50))  # backwards at times, as a clock that is set
        assert take(folder, watch) is None
        clock.now += 10


def test_a_time_without_looking_is_no_silence(folder: Path, clock: Clock) -> None:
    elsewhere(folder)
    watch = Watch(silent_seconds=60)
    for _ in range(6):
        assert take(folder, watch) is None
        clock.now += 3600
    assert take(folder, watch) is None


def test_a_file_that_is_not_written_yet_counts_as_held(folder: Path) -> None:
    (folder / "1.json").touch()
    assert take(folder, Watch()) is None
    assert str(holder(folder)) == "process ? on an unknown machine"


def test_of_many_at_once_one_gets_it(folder: Path) -> None:
    got = []
    barrier = threading.Barrier(16)

    def try_it() -> None:
        barrier.wait()
        got.append(take(folder, Watch()))

    threads = [threading.Thread(target=try_it) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(found is not None for found in got) == 1


def test_a_holder_renews_it_and_notices_a_successor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.02)
    held = take(folder, Watch())
    assert held is not None
    with held:
        os.utime(held.file, (0, 0))
        wait_until(lambda: held.file.stat().st_mtime > 0)
        (folder / "2.json").write_text("{}")
        wait_until(lambda: held.lost)
    assert not (holder(folder) or pytest.fail("gone")).released


def wait_until(condition: Callable[[], bool]) -> None:
    """As long as it takes; what never happens ends with the time that a test has."""
    while not condition():
        time.sleep(0.01)
