"""The process of a trial's training: whatever ends it, nothing that it started is left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from resnet_zoo.cli import trial_processes

CHILD = """
import subprocess, sys
print(subprocess.Popen(["sleep", "1000"]).pid, flush=True)
{then}
"""

# Ctrl-C when the child and its own child are there, and nobody has noted the first one yet.
INTERRUPTED = """
import signal, subprocess, sys, time
from pathlib import Path
from resnet_zoo.cli import trial_processes
log = Path(sys.argv[1])
start = subprocess.Popen.__init__
def interrupted(self, *words, **options):
    start(self, *words, **options)
    while not log.read_text().strip():
        time.sleep(0.01)
    signal.raise_signal(signal.SIGINT)
subprocess.Popen.__init__ = interrupted
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell starts in the background
trial_processes.CHILD = "a_child_of_a_trial"
trial_processes.run_in_own_session([], log)
"""


def _alive(process: int) -> bool:
    try:
        return "sleep" in Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return False


@pytest.mark.parametrize("end", ["by itself", "Ctrl-C"])
def test_nothing_that_a_training_started_outlives_it(
    end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    then = "sys.exit(3)" if end == "by itself" else "import time; time.sleep(1000)"
    (tmp_path / "a_child_of_a_trial.py").write_text(CHILD.format(then=then))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(trial_processes, "CHILD", "a_child_of_a_trial")
    log = tmp_path / "log"
    if end == "by itself":
        assert trial_processes.run_in_own_session([], log) == 3
    else:
        words = [sys.executable, "-c", INTERRUPTED, str(log)]
        answer = subprocess.run(words, capture_output=True, text=True, check=False)
        assert answer.stderr.splitlines()[-1] == "KeyboardInterrupt"
    grandchild = int(log.read_text())
    try:
        wait_for_the_end_of(grandchild)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(grandchild, signal.SIGKILL)


def wait_for_the_end_of(process: int) -> None:
    """It was killed, or would live for a quarter of an hour."""
    until = time.monotonic() + 60
    while _alive(process):
        assert time.monotonic() < until
        time.sleep(0.05)
