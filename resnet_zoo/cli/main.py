"""The dispatcher behind ``resnet-zoo``: looks at the command's name before it imports anything. Standard library only.

Importing torch takes seconds and Lightning more; a command pays only for what its own module imports.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from types import TracebackType

from resnet_zoo import __version__
from resnet_zoo.cli.commands import HELP, Command, lines_of, run_command
from resnet_zoo.cli.signals import ended_by
from resnet_zoo.errors import SaidElsewhere, UserMistake
from resnet_zoo.runs.atomic import why_not_written
from resnet_zoo.runs.status import PREEMPTED

FAILED, MISTAKE, INTERRUPTED, CLOSED_PIPE = 1, 2, 130, 141
"""Exit codes: the disk takes no more; what was given is wrong; Ctrl-C; the reader of the output went away (128 + the
signal's number)."""


TRAINING = "resnet_zoo.cli.before_training"

COMMANDS: dict[str, Command] = {
    "fit": Command(TRAINING, "train a model from a config", keeps_name=True),
    "validate": Command(TRAINING, "evaluate a checkpoint on the validation split", keeps_name=True),
    "test": Command(TRAINING, "evaluate a checkpoint on the test split", keeps_name=True),
    "predict": Command(
        TRAINING, "write a model's predictions for a split or a folder of images", keeps_name=True
    ),
    "list": Command("resnet_zoo.cli.list", "every backbone with its size, source and paper"),
    "describe": Command("resnet_zoo.cli.describe", "one backbone's layers, parameters and multiply-adds"),
    "explain": Command(TRAINING, "what a run would do, before it does it", keeps_name=True),
    "data": Command(
        "resnet_zoo.cli.data", "check a data set for damage, prepare ImageNet, pack images into few files"
    ),
    "verify-resume": Command(
        "resnet_zoo.cli.verify_resume", "whether a config, killed and resumed, trains as if never stopped"
    ),
    "benchmark": Command(
        "resnet_zoo.cli.benchmark", "how fast data, a training step or a backbone is, beside others"
    ),
    "report": Command("resnet_zoo.cli.report", "curves and tables of runs as one HTML file, with figures"),
    "export": Command("resnet_zoo.cli.export", "a checkpoint's model as a file for other software, checked"),
    "analyze": Command("resnet_zoo.cli.analyze", "responses, gradients or gates of a checkpoint's model"),
    "deepen": Command(
        "resnet_zoo.cli.deepen", "a plain net with identity layers added, which computes the same"
    ),
    "reproduce": Command("resnet_zoo.cli.reproduce", "the papers' claims as runs, figures and verdicts"),
    "check-backbone": Command(
        "resnet_zoo.cli.check_backbone", "test a backbone of one's own against the rules"
    ),
}


def main(argv: list[str] | None = None, run: Callable[[list[str]], int] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after the program's name; by default those of this process.
        run: what to do with them, for a program that prepares a command in its own way; by default the command.

    Returns:
        the exit code: 0, the command's own, 1 for a full disk, 2 for a user's mistake, 130 after Ctrl-C, 85 for a
        training to start again.
    """
    # Read when torch loads its OpenMP. Threads that spin while they wait bring a small net on a busy machine to a halt:
    # the quickstart took five times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = sys.argv[1:] if argv is None else list(argv)
    show_traceback = "--traceback" in words
    words = [word for word in words if word != "--traceback"]
    if argv is None:
        sys.excepthook = print_traceback
    try:
        with _ready_to_be_stopped(words):
            code = (run or _run)(words)
        sys.stdout.flush()
        return code
    except UserMistake as mistake:
        if show_traceback:
            raise
        if not isinstance(mistake, SaidElsewhere):
            print(without_secrets(str(mistake)), file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt:
        if show_traceback:
            raise
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or flushing at exit fails again
        return CLOSED_PIPE
    except OSError as error:
        why = why_not_written(error)
        if show_traceback or why is None:
            raise
        what = f"'{error.filename}' was not written" if error.filename else "a file was not written"
        print(without_secrets(f"{what}: {why}. What was there before is untouched."), file=sys.stderr)
        return FAILED
    except RuntimeError as error:
        if show_traceback or "operator torchvision::nms does not exist" not in str(error):
            raise
        print(
            "torch and torchvision do not belong together: one of them is a CPU build and the other a CUDA build, so "
            "install both again from the same package index, in one command.",
            file=sys.stderr,
        )
        return MISTAKE


def print_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What Python prints of an error that nobody caught, without the secrets that its text may hold."""
    sys.stderr.write(without_secrets("".join(traceback.format_exception(kind, error, trace))))


def without_secrets(text: str) -> str:
    """``text`` as it may be shown."""
    from resnet_zoo.runs import redact_text  # only those who have bad news pay for it

    return redact_text(text)


def _ready_to_be_stopped(words: list[str]) -> contextlib.AbstractContextManager[None]:
    """While a training is imported and built there is nothing to save: a scheduler's signal ends it, to come again.

    The training sets handlers of its own later.
    """
    if words[:1] != ["fit"]:
        return contextlib.nullcontext()
    return ended_by((signal.SIGTERM, signal.SIGUSR1), lambda number: PREEMPTED)


def _run(words: list[str]) -> int:
    if not words or words[0] in HELP:
        print(overview())
        return 0 if words else MISTAKE
    if words[0] == "--version":
        print(f"resnet-zoo {__version__}")
        return 0
    return run_command("command", COMMANDS, words, "resnet-zoo")


def overview() -> str:
    """The text of ``resnet-zoo --help``."""
    return "\n".join(
        [
            "usage: resnet-zoo COMMAND [...]",
            "",
            "Train residual networks, their ancestors and their rivals.",
            "",
            "commands:",
            *lines_of(COMMANDS),
            "",
            "options:",
            "  --help       this text; 'resnet-zoo COMMAND --help' explains a command",
            "  --version    the version",
            "  --traceback  anywhere: show where in the code a mistake was noticed",
            "",
            "example: resnet-zoo fit --config quickstart",
        ]
    )
