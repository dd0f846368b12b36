"""A callback for trainings that must last a while on a fast machine, given to them by its import path."""

from __future__ import annotations

import time
from typing import Any

from lightning.pytorch import Callback


class SlowUpdates(Callback):
    """Waits at every update.

    Args:
        seconds: how long.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_train_batch_start(self, *args: Any) -> None:
        time.sleep(self.seconds)
