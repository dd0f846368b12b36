"""Weights & Biases, kept within the run directory, kept quiet, and kept from ever holding up a training."""

from __future__ import annotations

import atexit
import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from resnet_zoo.loggers.line_process import LineProcess
from resnet_zoo.loggers.wandb_history import stored_id
from resnet_zoo.loggers.wandb_mode import ResolvedMode
from resnet_zoo.loggers.wandb_settings import WandbSettings
from resnet_zoo.runs import BEST, LAST, RunDirectory, redact, redact_arguments, redact_text

START_WITHIN = 20.0
"""Seconds that a server which accepts connections may take to start a run; after them the run is kept offline."""
OFF_WITHIN = 5.0
"""Seconds that the process gets to end after it has given up."""
PROGRAM = Path(__file__).with_name("wandb_process.py")


class RunWandbLogger(Logger):
    """Sends a run to Weights & Biases through a process of its own; see ``wandb_process``.

    wandb is neither imported nor waited for here: a row goes into a pipe, or into memory while the pipe is full. What
    fails is said once on standard error, and the training goes on; ``metrics.csv`` has every row in any case. The
    run's id is made here and stored in the run directory, so that a resumed run continues the same history. The
    process starts with the first thing that is logged, on rank 0 only.

    Args:
        run_directory: owns ``wandb/``, ``wandb_id`` and ``wandb_step``.
        settings: how the run appears.
        mode: online or offline, as ``resolve_mode`` found.
        config: the resolved configuration, nested; secrets are taken out.
        notice: a sentence for the user about the mode.
    """

    def __init__(
        self,
        run_directory: RunDirectory,
        settings: WandbSettings,
        mode: ResolvedMode,
        config: Mapping[str, Any] | None = None,
        notice: str = "",
    ) -> None:
        super().__init__()
        self.notice = notice
        self.run_directory = run_directory
        self.settings = settings
        self.mode = mode
        self._id = stored_id(run_directory)
        self._config = redact(dict(config or {}))
        self._process: LineProcess | None = None
        self._is_off = False
        self._said: set[str] = set()
        self._failed = False

    @property
    def name(self) -> str:
        """The project."""
        return self.settings.project

    @property
    def version(self) -> str:
        """The run's id at W&B."""
        return self._id

    @property
    def save_dir(self) -> str:
        """The run directory."""
        return str(self.run_directory.path)

    @property
    def process_id(self) -> int | None:
        """The process that talks to W&B; None while there is none."""
        return self._process.pid if self._process is not None else None

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Hand over one row; rows of the same step become one row there.

        Args:
            metrics: name -> number or scalar tensor.
            step: optimizer updates made so far.
        """
        row = {name: getattr(value, "item", lambda value=value: value)() for name, value in metrics.items()}
        self._send({"do": "log", "step": step, "row": row})

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Add to the run's configuration; nested mappings stay nested, secrets are taken out."""
        values = redact(_plain(vars(params) if isinstance(params, Namespace) else params))
        if values:
            self._send({"do": "configure", "values": values})

    @rank_zero_only
    def attach(self, paths: Iterable[Path]) -> None:
        """Send files of the run directory as they are now; those that do not exist are left out."""
        self._send({"do": "attach", "paths": [str(path.absolute()) for path in paths if path.is_file()]})

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Note how a part of the run went; ``close`` ends the run."""
        self._failed = status not in ("success", "finished")

    @rank_zero_only
    def close(self, exit_code: int = 0) -> None:
        """Send the files of the run directory and end the run at W&B, within ``finish_within`` seconds.

        Args:
            exit_code: the training's; any but 0 marks the run as failed, and sends no checkpoints.
        """
        process, self._process = self._process, None
        atexit.unregister(self._close_at_exit)
        if process is None:
            return
        if self._is_off:  # it has said why, and is about to end by itself
            process.close(OFF_WITHIN)
            return
        run = self.run_directory
        files = [*run.path.glob("*.json"), *run.path.glob("config*.yaml"), run.metrics]
        process.send({"do": "attach", "paths": [str(path.absolute()) for path in files if path.is_file()]})
        if self.settings.log_checkpoints and exit_code == 0 and not self._failed:
            kept = [run.checkpoints / name for name in (BEST, LAST)]
            paths = [str(path.absolute()) for path in kept if path.exists()]
            process.send({"do": "keep_checkpoints", "paths": paths, "name": f"checkpoints-{self._id}"})
        process.send({"do": "finish", "exit_code": exit_code or int(self._failed)})
        ending, events = process.close(self.settings.finish_within)
        self._hear(events)
        if process.dropped:
            self._say(f"W&B: {process.dropped} messages were dropped because it did not take them.")
        if ending != "finished" and not self._is_off:
            what = "ended early"
            if ending == "ended":
                what = f"did not finish within {self.settings.finish_within:g} s and was ended"
            self._say(f"W&B {what}. What did not arrive is kept: wandb sync {self._segments('*run')}")

    def _send(self, message: dict[str, Any]) -> None:
        if self._process is None and not self._is_off:
            try:
                self._start()
            except OSError as error:
                self._turn_off(f"its process could not be started: {error}")
        if self._is_off or self._process is None:
            return
        self._process.send(message)
        self._hear(self._process.receive())

    def _start(self) -> None:
        # -P keeps the program's folder, which has a module named wandb, off its search path.
        self._process = LineProcess([sys.executable, "-P", str(PROGRAM)])
        atexit.register(self._close_at_exit)
        self._process.send(self._first_message())

    def _first_message(self) -> dict[str, Any]:
        path, settings = self.run_directory.path.absolute(), self.settings
        return {
            "modes": ["online", "offline"] if self.mode == "online" else ["offline"],
            "step_file": str(path / self.run_directory.wandb_step.name),
            "start_within": START_WITHIN,
            "finish_within": settings.finish_within,
            "command": redact_arguments(sys.argv),
            "init": {
                **redact(
                    {
                        "project": settings.project,
                        "name": settings.name or f"{path.parent.name}/{path.name}",
                        "entity": settings.entity,
                        "group": settings.group,
                        "tags": settings.tags,
                        "notes": settings.notes,
                    }
                ),
                "dir": str(path),
                "id": self._id,
                "resume": "allow",
                "config": _plain(self._config),
            },
            "settings": {
                "silent": True,
                "console": "off",
                "save_code": False,
                "disable_git": True,  # our record has it, and a remote's address may hold a token
                "symlink": False,
                "finish_timeout": max(1.0, settings.finish_within - 10.0),
                "x_stats_pid": os.getpid(),
                "x_transaction_log_flush_interval": 1.0,
            },
        }

    def _hear(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Say once what the user should know."""
        for event in events:
            kind = event["event"]
            if kind == "failed" and event["mode"] == "online":
                self._say(
                    f"W&B: the server did not start the run ({event['reason']}); it is kept offline. To send it "
                    f"later: wandb sync {self._segments('offline-run')}"
                )
            elif kind == "off":
                self._turn_off(str(event["reason"]))
            elif kind == "full":
                self._say(
                    f"W&B: the disk of '{self.run_directory.path}' is full; rows from step {event['step']} on may be "
                    "missing there."
                )
            elif kind == "trouble":
                self._say(f"W&B: {event['reason']}; the training goes on, and metrics.csv has every row.")
            elif kind == "stop":
                self._say(
                    "W&B: a stop was asked for there. It does not stop a training; press Ctrl-C, or end the job."
                )

    def _turn_off(self, reason: str) -> None:
        self._is_off = True
        self._say(f"W&B: off for this run ({reason}); metrics.csv has every row.")

    def _say(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            print(redact_text(sentence), file=sys.stderr, flush=True)

    def _segments(self, kind: str) -> str:
        return f"'{self.run_directory.path / 'wandb'}'/{kind}-*-{self._id}"

    def _close_at_exit(self) -> None:
        self.close(exit_code=1)


def _plain(value: Any) -> Any:
    """Nested data as JSON has it; anything else as its text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
