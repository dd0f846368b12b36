"""How a training ends: the exit code, ``status.json``, and what to do next."""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
from collections.abc import Callable
from typing import Any

from resnet_zoo.callbacks import Stopped, TrainingDiverged
from resnet_zoo.callbacks.checkpoint_io import CheckpointNotWritten
from resnet_zoo.cli.arguments import joined
from resnet_zoo.cli.training_cli import TrainingCLI
from resnet_zoo.runs import PREEMPTED, RunDirectory, State, redact_text, why_not_written, write_status

INTERRUPTED = 130
"""Exit code after Ctrl-C, as of a process that the signal ended (128 + its number)."""

FAILED = 1


def run_to_its_end(
    cli: TrainingCLI, directory: RunDirectory, words: list[str], work: Callable[[], None]
) -> int:
    """Do the work under the signals' watch and write down how it ended.

    Args:
        cli: the built data, model and trainer.
        directory: where ``status.json`` goes; rank 0 writes it.
        words: the command line's options, for the command that goes on.
        work: trains and evaluates.

    Returns:
        the exit code: 0; 85 after SIGTERM or SIGUSR1; 130 after Ctrl-C; 1 if the training diverged.
    """
    with cli.signals:
        try:
            _write(cli, directory, "running")
            work()
        except BaseException as error:
            cli.signals.settled = True
            code = _ended_early(cli, directory, words, error)
            if code is None:
                raise
            return code
        cli.signals.settled = True
        _write(cli, directory, "finished", exit_code=0)
    return 0


def _ended_early(
    cli: TrainingCLI, directory: RunDirectory, words: list[str], error: BaseException
) -> int | None:
    """Write down why, and say it; None for what nobody expected, which wants its traceback."""
    if isinstance(error, Stopped):
        return _stopped(cli, directory, words, error)
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        if cli.signals.received is None:
            _write(cli, directory, "failed", "the process was ended from within")
            return None
        _say(cli, f"Interrupted at once. {_next_step(words, directory)}")
        _write(cli, directory, "interrupted", "interrupted at once, without saving", exit_code=INTERRUPTED)
        return INTERRUPTED
    if isinstance(error, (TrainingDiverged, CheckpointNotWritten)):
        diverged = isinstance(error, TrainingDiverged)
        _write(cli, directory, "diverged" if diverged else "failed", str(error), exit_code=FAILED)
        _say(cli, str(error))
        return FAILED
    if isinstance(error, OSError) and cli.launch.rank == 0 and (why := why_not_written(error)):
        return _disk_failed(cli, directory, words, f"'{error.filename}' was not written: {why}.")
    reason = str(error).strip() or type(error).__name__
    _write(cli, directory, "failed", reason, error=type(error).__name__, exit_code=FAILED)
    return None


def _disk_failed(cli: TrainingCLI, directory: RunDirectory, words: list[str], message: str) -> int:
    """What was trained is saved, or its own failure would have been told; the rest can be done again."""
    _write(cli, directory, "failed", message, exit_code=FAILED)
    _say(cli, f"{message} Make room, or choose another disk. {_next_step(words, directory)}")
    return FAILED


def _stopped(cli: TrainingCLI, directory: RunDirectory, words: list[str], stopped: Stopped) -> int:
    interrupted = stopped.signal == signal.SIGINT
    code = INTERRUPTED if interrupted else PREEMPTED
    where = f" after update {stopped.step} (epoch {stopped.epoch})" if stopped.step is not None else ""
    kept = f"saved to '{stopped.checkpoint}'" if stopped.checkpoint else "there was nothing new to save"
    message = f"{stopped}{where}; {kept}."
    step = _next_step(words, directory)
    _say(cli, f"{message} {step}")
    details = {"step": stopped.step, "epoch": stopped.epoch, "checkpoint": stopped.checkpoint}
    _write(
        cli,
        directory,
        "interrupted" if interrupted else "preempted",
        message,
        **details,
        signal=stopped.signal.name,
        next=step,
        exit_code=code,
    )
    # Lightning ends every rank it started as soon as one of the others has an exit code; rank 0 has the run's.
    return 0 if cli.launch.launcher == "lightning" else code


def _next_step(words: list[str], directory: RunDirectory) -> str:
    """The command that continues the run: this one's, with the run directory and ``--resume auto``."""
    kept = [word for word in joined(words) if word.partition("=")[0] not in ("--run_dir", "--resume")]
    command = ["resnet-zoo", "fit", *kept, f"--run_dir={directory.path}", "--resume=auto"]
    return f"To go on: {shlex.join(command)}"


def _say(cli: TrainingCLI, text: str) -> None:
    if cli.launch.rank == 0:
        print(redact_text(text), file=sys.stderr, flush=True)


def _write(
    cli: TrainingCLI, directory: RunDirectory, status: State, message: str = "", **details: Any
) -> None:
    """Rank 0's note; what happened is more important than a note that cannot be written."""
    if cli.launch.rank == 0 and not cli.trainer.fast_dev_run:  # type: ignore[attr-defined]
        with contextlib.suppress(OSError):
            write_status(directory.status, status, message, **details)
