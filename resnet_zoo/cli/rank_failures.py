"""One rank's failure told once: in one piece, by the rank it happened to, with the others saying whom they lost."""

from __future__ import annotations

import os
import platform
import re
import traceback
from collections.abc import Callable

from resnet_zoo.cli.launch import Launch
from resnet_zoo.cli.rendezvous import said_by_another, silent_ranks
from resnet_zoo.errors import SaidElsewhere, UserMistake
from resnet_zoo.runs import redact_text

FAILED = 1
_LOST = re.compile(
    r"gloo|NCCL|ProcessGroup|process group|Connection (closed|reset)|Socket|Broken pipe|Timed out waiting",
    re.IGNORECASE,
)
_TOO_LATE = re.compile(r"tim(ed |e)out", re.IGNORECASE)


def tell_failures(launch: Launch, rank_timeout: float, work: Callable[[], int]) -> int:
    """Do the work of one rank of several; what goes wrong is told in one piece, and the process ends.

    Args:
        launch: how this process was started; a single process's errors pass through.
        rank_timeout: how long a rank waits for another, for the message.
        work: returns an exit code.

    Returns:
        the exit code.

    Raises:
        UserMistake: one that no other rank has told of; a single process's.
    """
    if not launch.external:
        return work()
    try:
        return work()
    except SaidElsewhere:
        raise
    except UserMistake as mistake:
        if said_by_another(launch, str(mistake)):
            raise SaidElsewhere("another rank says it") from mistake
        raise
    except Exception as error:
        _tell(launch, error, rank_timeout)
        return FAILED


def _tell(launch: Launch, error: Exception, rank_timeout: float) -> None:
    who = f"[rank {launch.rank} on {platform.node()}]"
    if is_loss_of_another_rank(error):
        silent = silent_ranks(launch)
        names = (
            f"rank{'s' if len(silent) > 1 else ''} {', '.join(map(str, silent))}"
            if silent
            else "another rank"
        )
        reason = str(error).strip().splitlines()[0]
        if _TOO_LATE.search(reason):
            text = f"{names} did not answer within {rank_timeout:g} s (rank_timeout): it hangs, or its node is gone."
        else:
            text = f"{names} went away; see its own message, or its node's log if it has none."
        _write(f"{who} stopped: {text} ({reason[:200]})\n")
    elif not said_by_another(launch, repr(error)):
        _write(
            "".join(f"{who} {line}" for line in "".join(traceback.format_exception(error)).splitlines(True))
        )


def is_loss_of_another_rank(error: BaseException) -> bool:
    """Whether an error says that another rank did not answer, rather than that something is wrong here."""
    return isinstance(error, RuntimeError | OSError) and _LOST.search(str(error)) is not None


def _write(text: str) -> None:
    """In one call, so that the lines of several ranks do not mix."""
    os.write(2, redact_text(text).encode())
