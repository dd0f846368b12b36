"""The process that talks to Weights & Biases for a training: whatever hangs or fails there, hangs and fails here.

It runs as a program of its own (``RunWandbLogger`` starts it), reads one JSON message a line from its standard input
and writes what the training's user should know to its standard output. Standard library and wandb only: it must not
pay for what a training imports.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

STAMP_FORMAT = "%Y%m%d_%H%M%S"
STAMP = re.compile(r"run-(\d{8}_\d{6})-")
LEAST_FREE = 2**20
"""Bytes; wandb loses what it cannot write without a word, so a disk with less than this is reported as full."""


class Reporter:
    """One run at Weights & Biases.

    Rows of the same step are merged, and a row is handed over when one of a later step arrives, or at the end. The
    step of the last row handed over is kept in a file: a training that goes on from an earlier checkpoint makes some
    updates again, and their rows are left out, so that the run's segments make one history without a step twice.

    Args:
        start: the first message: what to start, where, and in which modes to try it.
        tell: takes what the user should know.
    """

    def __init__(self, start: Mapping[str, Any], tell: Any) -> None:
        self._start = start
        self._tell = tell
        self._run: Any = None
        self._step_file = Path(start["step_file"])
        self._pending_step = -1
        self._pending: dict[str, Any] = {}
        self._last_step = -1
        self._disk_is_full = False

    def start(self) -> None:
        """Start the run in the first mode that works.

        Raises:
            Exception: none did.
        """
        with contextlib.suppress(OSError, ValueError):
            self._last_step = int(self._step_file.read_text())
        # wandb would move to a temporary folder without a word.
        check = Path(self._start["init"]["dir"], "wandb", ".writable")
        check.parent.mkdir(exist_ok=True)
        check.write_bytes(bytes(65536))
        check.unlink()
        import wandb

        never_before(newest_segment(check.parent))
        modes: list[Any] = self._start["modes"]
        for mode in modes:
            try:
                self._run = wandb.init(**self._start["init"], mode=mode, settings=self._settings(wandb, mode))
                break
            except Exception as error:  # wandb raises its own errors and passes on those of others
                self._tell({"event": "failed", "mode": mode, "reason": reason_of(error)})
                if mode == modes[-1]:
                    raise
                self._abandon(wandb)
        if self._run.resumed:
            self._last_step = max(self._last_step, self._run.step - 1)
        self._tell({"event": "started", "mode": mode, "folder": self._run.dir, "url": self._run.url})

    def _settings(self, wandb: Any, mode: str) -> Any:
        wanted = {**self._start["settings"], "stop_fn": lambda: self._tell({"event": "stop"})}
        if mode == "online":
            # Kept offline, a run waits for nobody but this machine, which may be busy: that has wandb's own limit.
            wanted["init_timeout"] = self._start["start_within"]
        return wandb.Settings(
            **{name: value for name, value in wanted.items() if name in wandb.Settings.model_fields}
        )

    @staticmethod
    def _abandon(wandb: Any) -> None:
        """Forget a service that may hang, so that the next mode starts with a new one."""
        end_children()
        # It leaves the interpreter where its service did not end well.
        with contextlib.suppress(BaseException):
            wandb.teardown()

    def log(self, step: int | None, row: Mapping[str, Any]) -> None:
        """Take one row; without a step it belongs to the row before."""
        if step is not None and step > self._pending_step:
            self.flush()
            self._pending_step = step
        self._pending.update(row)

    def flush(self) -> None:
        """Hand over the row that is pending, unless an earlier segment of the run has that step already."""
        row, self._pending = self._pending, {}
        if not row or self._pending_step <= self._last_step:
            return
        self._run.log(row, step=self._pending_step, commit=True)
        self._last_step = self._pending_step
        if not self._disk_is_full and shutil.disk_usage(self._step_file.parent).free < LEAST_FREE:
            self._disk_is_full = True
            self._tell({"event": "full", "step": self._pending_step})
        with contextlib.suppress(OSError):
            part = self._step_file.with_name(f".{self._step_file.name}.part")
            part.write_text(f"{self._last_step}\n")
            part.replace(self._step_file)

    def configure(self, values: Mapping[str, Any]) -> None:
        """Add to the run's configuration."""
        self._run.config.update(values, allow_val_change=True)

    def attach(self, paths: Iterable[str]) -> None:
        """Copy files of the run directory to the run as they are now, into a folder: wandb has a config.yaml too."""
        folder = Path(self._run.dir) / "run_directory"
        folder.mkdir(exist_ok=True)
        for path in paths:
            copy = shutil.copy(path, folder)
            self._run.save(copy, base_path=self._run.dir, policy="now", glob=False)

    def keep_checkpoints(self, paths: Iterable[str], name: str) -> None:
        """Log checkpoints as one artifact; the files are not copied to a cache outside the run directory."""
        import wandb

        artifact = wandb.Artifact(name, type="model")
        for path in paths:
            artifact.add_file(path, policy="immutable")
        self._run.log_artifact(artifact)

    def finish(self, exit_code: int) -> None:
        """Hand over what is pending and end the run."""
        self.flush()
        self._run.finish(exit_code=exit_code)

    def handle(self, message: dict[str, Any]) -> None:
        """Do what one message says."""
        getattr(self, message.pop("do"))(**message)


def newest_segment(folder: Path) -> str:
    """The latest time among the names of a run's segments, as wandb writes it; empty without one."""
    names = (STAMP.search(path.name) for path in folder.glob("*run-*"))
    return max((name[1] for name in names if name), default="")


def never_before(stamp: str) -> None:
    """Let this process's clock begin after ``stamp``, if need be by putting it forward.

    wandb names a segment after the local time, and segments are sent in the order of their names. Where the clock was
    set back since the last one, or summer time ended, the later part would arrive first and the earlier be refused.
    """
    shift, clock = 0.0, time.time
    while stamp and time.strftime(STAMP_FORMAT, time.localtime(clock() + shift)) <= stamp:
        behind = time.mktime(time.strptime(stamp, STAMP_FORMAT)) - (clock() + shift)
        shift += max(1.0, behind + 1.0)
    if shift:
        time.time = lambda: clock() + shift


def reason_of(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]


def end_children() -> None:
    """End wandb's own service, which may be stuck; where the system does not list children it ends by itself."""
    with contextlib.suppress(OSError):
        for children in Path("/proc/self/task").glob("*/children"):
            for child in children.read_text().split():
                os.kill(int(child), signal.SIGKILL)


def leave(*_: object) -> None:
    """End at once, with everything that was started."""
    end_children()
    os._exit(1)


def private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Our input and output under new numbers, so that wandb's service does not inherit them."""
    pipes = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", buffering=0)
    with Path(os.devnull).open("r+b") as nowhere:
        for number in (0, 1, 2):
            os.dup2(nowhere.fileno(), number)
    return pipes


def main() -> None:
    """Serve one training until it says that it is over, or is gone."""
    requests, answers = private_pipes()

    def tell(event: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):  # a training that is gone need not know
            answers.write(json.dumps(event).encode() + b"\n")

    signal.signal(signal.SIGTERM, leave)
    start = json.loads(requests.readline())
    sys.argv = start["command"]  # what wandb writes down as the run's command line
    reporter = Reporter(start, tell)
    try:
        reporter.start()
        finished = False
        for line in requests:
            message = json.loads(line)
            finished = message["do"] == "finish"
            try:
                reporter.handle(message)
            except Exception as error:  # one thing that fails must not take the others along
                tell({"event": "trouble", "reason": reason_of(error)})
        if not finished:  # the training was killed; what it logged is worth keeping, for a while
            threading.Timer(start["finish_within"], leave).start()
            reporter.finish(exit_code=1)
    except Exception as error:
        tell({"event": "off", "reason": reason_of(error)})
        leave()
    with contextlib.suppress(BaseException):
        import wandb

        wandb.teardown()
    end_children()
    os._exit(0)


if __name__ == "__main__":
    main()
