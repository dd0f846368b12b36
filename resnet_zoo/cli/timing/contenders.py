"""Those that a training step of ours is measured against, by the names that ``--against`` takes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from resnet_zoo.cli.timing.fitted import Contender
from resnet_zoo.cli.timing.job import Job
from resnet_zoo.cli.timing.loops import LOOPS, BareLoop, train_in_loop
from resnet_zoo.cli.timing.own_process import InOwnProcess, TrainsWhenAsked
from resnet_zoo.cli.timing.stock_lightning import NOTE, train_with_stock_lightning

OWN_PROCESS: dict[str, TrainsWhenAsked] = {
    "lightning": train_with_stock_lightning,
    **{name: partial(train_in_loop, name) for name in LOOPS},
}
"""Those that must not share our allocator, nor change our settings; only ``bare`` is like us in everything."""

NOTES = {"bare": BareLoop.note, "lightning": NOTE, **{name: loop.note for name, loop in LOOPS.items()}}
"""What each of them is."""


def begin(names: Sequence[str], job: Job, closing: ExitStack) -> dict[str, Contender]:
    """The contenders of these names, ready to train the job.

    Args:
        names: in the order of their turns.
        job: what all train.
        closing: ends their processes.

    Raises:
        InvalidValue: one of them has no such net, or is not installed.
    """
    for name in names:
        if name in LOOPS:
            LOOPS[name].check(job)
    begun: dict[str, Contender] = {}
    for name in names:
        if name in OWN_PROCESS:
            alone = InOwnProcess(OWN_PROCESS[name], job)
            closing.callback(alone.close)
            begun[name] = alone
        else:
            begun[name] = BareLoop(job)
    return begun
