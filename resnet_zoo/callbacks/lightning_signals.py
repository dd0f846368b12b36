"""Take Lightning's own handling of signals out, where it hangs or hides what happened."""

from __future__ import annotations

import inspect

from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from lightning.pytorch.trainer.connectors.signal_connector import _SignalConnector

REPLACED = (
    (_TrainingEpochLoop, "_broadcast_sigterm_tensor"),
    (_SignalConnector, "register_signal_handlers"),
)
"""The private methods that are replaced. A test compares them with the ones this was written for."""

ORIGINALS = {name: inspect.getsource(getattr(owner, name)) for owner, name in REPLACED}
"""Their source, as installed."""


def leave_signals_to_us() -> None:
    """Replace Lightning's handlers, and the flag it sends around, by nothing; safe to call twice.

    Lightning's handler of SIGTERM starts a broadcast from within, in which a single rank waits for ever; under SLURM
    another saves from within, in mid-update. And every update of several ranks broadcasts a flag and waits for the
    device to read it. ``StopSignals`` and ``Preemption`` do all of this at the end of an update.
    """
    for owner, name in REPLACED:
        setattr(owner, name, _nothing)


def _nothing(self: object) -> None:
    """Do nothing."""
