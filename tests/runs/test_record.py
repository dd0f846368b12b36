"""The record of a run: complete, plain, and without secrets."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from resnet_zoo.runs import collect_record, read_record, update_record, write_record
from resnet_zoo.runs import record as record_module
from resnet_zoo.runs.record import git_state


def git(directory: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(directory), *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_record_says_what_ran_where_on_what(
    working_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "GIT_CEILING_DIRECTORIES", str(working_directory.parent)
    )  # wherever temporary files are
    record = collect_record(
        world_size=2,
        global_batch_size=128,
        per_rank_batch_size=64,
        learning_rate_rule="learning rate 0.1 as configured",
        data={"fingerprint": "abc"},
        backbone={"name": "resnet20_cifar", "package": "resnet-zoo"},
        command=["resnet-zoo", "fit", "--config", "quickstart"],
        device="cpu",
    )
    assert record["command"] == ["resnet-zoo", "fit", "--config", "quickstart"]
    assert record["batch"] == {"global": 128, "per_rank": 64}
    assert set(record["versions"]) == {"python", "torch", "torchvision", "lightning", "resnet-zoo"}
    assert all(version[0].isdigit() for version in record["versions"].values())
    assert set(record["host"]) == {"name", "platform", "cpu_count"}
    assert datetime.fromisoformat(record["started"]).utcoffset() is not None
    assert record["working_directory"] == str(working_directory)
    assert record["git"]["working_directory"] is None
    assert (record["world_size"], record["device"]) == (2, "cpu")
    assert record["data"] == {"fingerprint": "abc"}


def test_a_record_survives_writing_and_takes_additions(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    record = collect_record()
    write_record(path, record)
    update_record(path, finished="2026-01-01", images=10)
    assert read_record(path) == {**record, "finished": "2026-01-01", "images": 10}
    assert json.loads(path.read_text())


def test_no_secret_reaches_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    command = ["resnet-zoo", "fit", "--token", "hunter2hunter2", "--data.url=https://me:pass@host/data"]
    record = collect_record(command=command, data={"api_key": "xyz", "notes": "key is 0123456789abcdef"})
    path = tmp_path / "record.json"
    write_record(path, record)
    update_record(path, password="swordfish")
    text = path.read_text()
    for secret in ("hunter2", "me:pass", "xyz", "0123456789abcdef", "swordfish"):
        assert secret not in text


def test_git_state_tells_commit_and_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setattr(record_module, "GIT_TIMEOUT", 120.0)  # of a busy disk git may take seconds
    assert git_state(tmp_path) is None
    git(tmp_path, "init", "-q")
    assert git_state(tmp_path) is None
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-q", "-m", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert git_state(tmp_path) == {"commit": commit, "dirty": False}
    (tmp_path / "untracked").touch()
    assert git_state(tmp_path) == {"commit": commit, "dirty": False}
    (tmp_path / "file").write_text("2")
    assert git_state(tmp_path) == {"commit": commit, "dirty": True}


def test_a_machine_without_git_records_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(Path.cwd()) is None
