"""A run directory has one owner: the second is refused, a dead one is replaced."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

from resnet_zoo.errors import InvalidValue
from resnet_zoo.runs import RunDirectoryLock, lock


def owner(folder: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((folder / lock.LOCK_FILE).read_text())
    return content


def write_owner(folder: Path, **differences: object) -> None:
    first = RunDirectoryLock(folder)
    first.acquire()
    content = owner(folder)
    first.release()
    (folder / lock.LOCK_FILE).write_text(json.dumps({**content, **differences}))


def take(folder: Path) -> None:
    mine = RunDirectoryLock(folder)
    mine.acquire()
    present = mine.owner()
    assert present is not None
    assert present["token"] == mine._owner["token"]
    mine.release()
    assert list(folder.iterdir()) == []


def test_the_second_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    first, second = RunDirectoryLock(tmp_path), RunDirectoryLock(tmp_path)
    first.acquire()
    with pytest.raises(InvalidValue, match=rf"in use by process {os.getpid()} on .*choose another --run_dir"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_owner_is_replaced(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from resnet_zoo.runs import RunDirectoryLock\n"
        "RunDirectoryLock(Path(sys.argv[1])).acquire(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert owner(tmp_path)["pid"] != os.getpid()
    take(tmp_path)


def test_a_process_id_that_was_given_out_again_is_no_owner(tmp_path: Path) -> None:
    write_owner(tmp_path, started="1")
    take(tmp_path)


def test_a_job_that_its_scheduler_started_again_takes_over_from_another_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    write_owner(tmp_path, place="elsewhere", host="n7")
    take(tmp_path)


def test_an_owner_out_of_sight_is_alive_as_long_as_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_owner(tmp_path, place="elsewhere", host="n7", token="theirs")
    slept: list[float] = []

    def count_at_the_last_look(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == lock.LOOKS:
            content = {**owner(tmp_path), "beats": 1}
            (tmp_path / lock.LOCK_FILE).write_text(json.dumps(content))

    monkeypatch.setattr(lock, "time", SimpleNamespace(sleep=count_at_the_last_look))
    with pytest.raises(InvalidValue, match="on n7"):
        RunDirectoryLock(tmp_path).acquire()
    assert sum(slept) == pytest.approx(lock.SILENT_SECONDS)
    assert "watching for 45 s" in capsys.readouterr().err
    take(tmp_path)  # it has not counted any more in as long a time
    assert sum(slept) == pytest.approx(2 * lock.SILENT_SECONDS)


def test_the_counter_goes_up_and_stops_with_the_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.01)
    mine = RunDirectoryLock(tmp_path)
    mine.acquire()
    beating = mine._thread
    assert beating is not None
    while not owner(tmp_path)["beats"]:  # the limit of a test ends this where it never comes
        assert beating.is_alive()
        time.sleep(0.01)
    mine.release()
    assert not beating.is_alive()


def test_of_many_that_find_a_dead_owner_one_becomes_the_owner(tmp_path: Path) -> None:
    write_owner(tmp_path, started="1")
    locks = [RunDirectoryLock(tmp_path) for _ in range(8)]
    outcomes: list[str] = []

    def try_it(mine: RunDirectoryLock) -> None:
        try:
            mine.acquire()
        except InvalidValue:
            outcomes.append("refused")
        else:
            outcomes.append("owner")

    threads = [threading.Thread(target=try_it, args=(mine,)) for mine in locks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["owner"] + ["refused"] * 7
    for mine in locks:
        mine.release()
    assert list(tmp_path.iterdir()) == []


def acquire_with_a_stall(mine: RunDirectoryLock, place: int, during: Callable[[], object]) -> bool:
    """Acquire, and stop before a line of the lock's code, counted from 0, to let others act; whether there was one."""
    lines = 0

    def trace(frame: FrameType, event: str, argument: object) -> Callable[..., Any] | None:
        nonlocal lines
        if frame.f_code.co_filename != lock.__file__:
            return None
        if event == "line":
            lines += 1
            if lines == place + 1:
                during()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        mine.acquire()
    finally:
        sys.settrace(before)
    return lines > place


@pytest.mark.parametrize("dead_owner", [False, True], ids=["free", "left by a dead owner"])
def test_wherever_one_stalls_while_it_takes_the_directory_there_is_one_owner(
    dead_owner: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "time", SimpleNamespace(sleep=lambda seconds: None))
    for place in range(1000):
        folder = tmp_path / str(place)
        folder.mkdir()
        if dead_owner:
            write_owner(folder, started="1")
        stalled, rival = RunDirectoryLock(folder), RunDirectoryLock(folder)
        owners: list[RunDirectoryLock] = []

        def take_it(mine: RunDirectoryLock, owners: list[RunDirectoryLock] = owners) -> None:
            with contextlib.suppress(InvalidValue):
                mine.acquire()
                owners.append(mine)

        reached = False
        with contextlib.suppress(InvalidValue):
            reached = acquire_with_a_stall(stalled, place, lambda rival=rival, take=take_it: take(rival))  # type: ignore[misc]
            owners.append(stalled)
        assert len(owners) == 1, place
        assert owners[0]._is_at_the_end(), place
        owners[0].release()
        assert list(folder.iterdir()) == [], place
        if owners == [stalled] and not reached:
            break
    assert place > 10


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.EINVAL])
def test_without_hard_links_the_file_itself_is_made_by_one_alone(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    test_the_second_is_refused_until_the_first_is_done(tmp_path)
    test_of_many_that_find_a_dead_owner_one_becomes_the_owner(tmp_path)


def test_a_link_that_was_made_although_its_answer_was_lost_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def twice(source: Path, target: Path) -> None:
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", twice)
    take(tmp_path)


def at_the_first_look(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something between somebody's look at the dead owner and what follows from it."""
    is_alive, seen = lock._is_alive, []

    def overtaken(owner: lock.Owner, path: Path) -> bool:
        alive = is_alive(owner, path)
        if not seen:
            seen.append(owner)
            act()
        return alive

    monkeypatch.setattr(lock, "_is_alive", overtaken)


def test_whoever_looked_before_another_took_over_takes_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_owner(tmp_path, started="1")
    fast, slow = RunDirectoryLock(tmp_path), RunDirectoryLock(tmp_path)
    at_the_first_look(monkeypatch, fast.acquire)
    with pytest.raises(InvalidValue, match="is in use by process"):
        slow.acquire()
    assert fast._is_at_the_end()
    fast.release()
    assert list(tmp_path.iterdir()) == []


def test_whoever_looked_before_the_chain_was_given_back_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_owner(tmp_path, started="1")
    fast, slow = RunDirectoryLock(tmp_path), RunDirectoryLock(tmp_path)
    at_the_first_look(monkeypatch, lambda: (fast.acquire(), fast.release()))
    slow.acquire()
    assert [path.name for path in tmp_path.iterdir()] == [lock.LOCK_FILE], "no file of the chain that is gone"
    slow.release()
    assert list(tmp_path.iterdir()) == []


def test_two_files_that_name_nobody_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "time", SimpleNamespace(sleep=lambda seconds: None))
    for name in (lock.LOCK_FILE, f"{lock.LOCK_FILE}.None"):
        (tmp_path / name).touch()
    mine = RunDirectoryLock(tmp_path)
    with pytest.raises(InvalidValue, match=r"two processes in a row .* delete .*\.lock' and .*\.lock\.None'"):
        mine.acquire()
