from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from resnet_zoo.experiments import lease
from resnet_zoo.experiments.lease import holder, take


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "leases" / "run"


def make_silent(folder: Path, term: int, seconds: float) -> None:
    file = folder / f"{term}.json"
    then = time.time() - seconds
    os.utime(file, (then, then))


def test_only_one_holds_it(folder: Path) -> None:
    with take(folder) or pytest.fail("free and not given"):
        assert take(folder) is None
        present = holder(folder)
        assert present is not None
        assert (present.host, present.pid, present.released) == (platform.node(), os.getpid(), False)
        assert f"process {os.getpid()}" in str(present)


def test_it_is_free_again_behind_the_block(folder: Path) -> None:
    for term in (1, 2, 3):
        held = take(folder)
        assert held is not None
        assert held.term == term
        with held:
            pass
    assert holder(folder) is not None


def test_it_is_free_after_an_error(folder: Path) -> None:
    with pytest.raises(RuntimeError), take(folder) or pytest.fail("free and not given"):
        raise RuntimeError
    assert take(folder) is not None


def test_a_silent_holder_is_succeeded(folder: Path) -> None:
    first = take(folder)
    assert first is not None
    make_silent(folder, 1, 400)
    assert take(folder, stale_seconds=500) is None
    second = take(folder, stale_seconds=300)
    assert second is not None
    assert second.term == 2
    assert take(folder, stale_seconds=300) is None


def test_a_process_that_died_on_this_machine_is_succeeded_sooner(folder: Path) -> None:
    command = [sys.executable, "-c", "import os; print(os.getpid())"]
    child = subprocess.run(command, capture_output=True, text=True, check=True)
    folder.mkdir(parents=True)
    (folder / "1.json").write_text(json.dumps({"host": platform.node(), "pid": int(child.stdout)}))
    assert take(folder) is None
    make_silent(folder, 1, 60)
    assert take(folder) is not None


def test_a_holder_on_another_machine_is_given_its_time(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "1.json").write_text(json.dumps({"host": "elsewhere", "pid": 1}))
    make_silent(folder, 1, 60)
    assert take(folder) is None
    make_silent(folder, 1, 600)
    assert take(folder) is not None


def test_a_file_that_is_not_written_yet_counts_as_held(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "1.json").touch()
    assert take(folder) is None


def test_of_many_at_once_one_gets_it(folder: Path) -> None:
    folder.mkdir(parents=True)
    got = []
    barrier = threading.Barrier(16)

    def try_it() -> None:
        barrier.wait()
        got.append(take(folder))

    threads = [threading.Thread(target=try_it) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(found is not None for found in got) == 1


def test_a_holder_renews_it_and_notices_a_successor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.02)
    held = take(folder)
    assert held is not None
    with held:
        make_silent(folder, 1, 400)
        wait_until(lambda: (holder(folder) or pytest.fail("gone")).age < 100)
        (folder / "2.json").write_text("{}")
        wait_until(lambda: held.lost)
    assert not (holder(folder) or pytest.fail("gone")).released


def wait_until(condition: object, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return
        time.sleep(0.01)
    pytest.fail("it did not happen")
