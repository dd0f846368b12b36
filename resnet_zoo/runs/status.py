"""How a run stands or ended, in a file: a launcher between the run and its scheduler may hide the exit code."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from resnet_zoo.runs.atomic import write_text_atomically
from resnet_zoo.runs.redact import redact

State = Literal["running", "finished", "preempted", "interrupted", "diverged", "failed"]
"""Training or evaluating; at its end; stopped by a scheduler's signal, saved; by Ctrl-C, saved; loss or weights are
no numbers; anything else."""

PREEMPTED = 85
"""Exit code of a run that a signal stopped and that wants to be started again: free of the shell's and SLURM's own."""


def write_status(path: Path, status: State, message: str = "", **details: Any) -> None:
    """Write ``status.json`` in one go.

    Args:
        path: the file.
        status: how the run stands.
        message: for people: what happened.
        details: further entries of plain types, such as ``step``, ``checkpoint`` and ``exit_code``.
    """
    entries = {
        "status": status,
        "message": message,
        **details,
        "host": platform.node(),
        "pid": os.getpid(),
        "updated": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_text_atomically(path, json.dumps(redact(entries), indent=2) + "\n")


def read_status(path: Path) -> dict[str, Any]:
    """The content of ``status.json``; empty where there is none or it is not readable."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
