"""Lightning's private methods that are replaced are the ones that were looked at when this was written."""

from __future__ import annotations

import hashlib
import signal
from typing import Any

from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from lightning.pytorch.trainer.connectors.signal_connector import _SignalConnector

from resnet_zoo.callbacks.lightning_signals import ORIGINALS, REPLACED, leave_signals_to_us

# Of the source in Lightning 2.6.6.
READ = {
    "_broadcast_sigterm_tensor": "d4e504c3f7d8bcb5",
    "register_signal_handlers": "cd4b642fd86bfc6f",
}


def test_what_is_replaced_is_what_was_read() -> None:
    found = {name: hashlib.sha256(source.encode()).hexdigest()[:16] for name, source in ORIGINALS.items()}
    assert found == READ, (
        "Lightning has changed what we replace: read the new methods, decide whether replacing them by nothing is "
        "still right, and only then write the new digests here."
    )


def test_they_are_still_called_from_where_they_were() -> None:
    import inspect

    from lightning.pytorch import Trainer

    assert "self._broadcast_sigterm_tensor()" in inspect.getsource(_TrainingEpochLoop.advance)
    assert "register_signal_handlers()" in inspect.getsource(Trainer._run)


def test_a_trainer_installs_no_handlers_and_no_update_asks_for_a_flag(
    make_trainer: Any, module: Any, images: Any
) -> None:
    leave_signals_to_us()
    before = signal.getsignal(signal.SIGTERM)
    seen: list[Any] = []

    class Look(module):  # type: ignore[misc]
        def on_train_start(self) -> None:
            seen.append(signal.getsignal(signal.SIGTERM))

    make_trainer(max_epochs=1).fit(Look(), images(8))
    assert seen == [before]
    for owner, name in REPLACED:
        assert getattr(owner, name).__name__ == "_nothing"
    assert not _SignalConnector.register_signal_handlers(None)
