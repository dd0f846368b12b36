"""The record of a run: what it takes to know, later, what was run, where and on what."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from resnet_zoo import __version__
from resnet_zoo.runs.atomic import write_text_atomically
from resnet_zoo.runs.redact import redact, redact_arguments

PACKAGES = ("torch", "torchvision", "lightning")
GIT_TIMEOUT = 5.0
"""Seconds; a repository on a slow network disk must not hold up a training."""


def collect_record(
    *,
    world_size: int = 1,
    global_batch_size: int | None = None,
    per_rank_batch_size: int | None = None,
    learning_rate_rule: str | None = None,
    data: Mapping[str, Any] | None = None,
    backbone: Mapping[str, Any] | None = None,
    command: Sequence[str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Everything worth writing down at the start of a run, as plain JSON types and without secrets.

    Args:
        world_size: number of processes that train together.
        global_batch_size: images per optimizer update over all of them.
        per_rank_batch_size: images per process and forward pass.
        learning_rate_rule: the sentence that says how the learning rate came about.
        data: the data module's fingerprint.
        backbone: where the backbone came from: name, package, version, module.
        command: the command line, by default this process's.
        more: further entries, of plain types.
    """
    package = Path(__file__).resolve().parent.parent
    record = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": redact_arguments(sys.argv if command is None else command),
        "working_directory": str(Path.cwd()),
        "versions": {
            "python": platform.python_version(),
            **{name: _version(name) for name in PACKAGES},
            "resnet-zoo": __version__,
        },
        "git": {
            "working_directory": git_state(Path.cwd()),
            "package": git_state(package) if _is_tracked(package / "__init__.py") else None,
        },
        "host": {"name": platform.node(), "platform": platform.platform(), "cpu_count": os.cpu_count()},
        "world_size": world_size,
        "batch": {"global": global_batch_size, "per_rank": per_rank_batch_size},
        "learning_rate_rule": learning_rate_rule,
        "data": dict(data) if data is not None else None,
        "backbone": dict(backbone) if backbone is not None else None,
        **more,
    }
    clean: dict[str, Any] = redact(record)
    return clean


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write ``record.json`` in one go."""
    write_text_atomically(path, json.dumps(record, indent=2, sort_keys=False) + "\n")


def read_record(path: Path) -> dict[str, Any]:
    """The record that was written there.

    Raises:
        FileNotFoundError: there is none.
    """
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def update_record(path: Path, **entries: Any) -> None:
    """Add entries to the record, or replace them; the others stay. Secrets are taken out."""
    write_record(path, {**read_record(path), **redact(entries)})


def git_state(directory: Path) -> dict[str, Any] | None:
    """``commit`` and ``dirty`` (tracked files differ from it); None outside a git checkout or without git."""
    commit = _git(directory, "rev-parse", "HEAD")
    if commit is None:
        return None
    changes = _git(directory, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def _is_tracked(file: Path) -> bool:
    """Whether git knows the file: an installed package may lie, ignored, within somebody else's checkout."""
    return _git(file.parent, "ls-files", "--error-unmatch", file.name) is not None


def _git(directory: Path, *arguments: str) -> str | None:
    """What git answers; None if it fails, takes too long or is not installed."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(directory), *arguments],
            capture_output=True,
            text=True,
            timeout=GIT_TIMEOUT,
            check=True,
            # The question must not take the index lock that somebody's commit needs.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _version(distribution: str) -> str | None:
    """The installed version, read without importing the package; None if it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
