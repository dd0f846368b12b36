"""The running training error that a schedule's hold waits for."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from resnet_zoo.metrics import TopKCounts
from resnet_zoo.optim import HoldUntilTrainError


class TrainErrorWatch:
    """Counts the training error window by window until it ends a hold; afterwards, and without one, it does nothing.

    Its windows are updates of the training and have nothing to do with what is logged or shown. All ranks are counted,
    so that all agree. Its state goes into checkpoints: a resumed training ends the hold at the same update.

    Args:
        hold: what it waits for, or None.
        num_classes: number of classes.
    """

    def __init__(self, hold: HoldUntilTrainError | None, num_classes: int) -> None:
        self.hold = hold
        self.released_at: int | None = None
        self.counts = TopKCounts(num_classes)

    @property
    def holds(self) -> bool:
        """Whether the learning rate is held down."""
        return self.hold is not None and self.released_at is None

    def count(self, logits: Tensor, labels: Tensor, losses: Tensor) -> None:
        """Add a micro-batch: (b, num_classes), (b,), (b,); nothing is fetched from the device."""
        if self.holds:
            self.counts.update(logits, labels, losses)

    def begin_update(self, step: int) -> None:
        """Judge the window that ends here, if one does; every rank must call it before update ``step``, from 0."""
        if self.hold is None or not self.holds or step == 0 or step % self.hold.window_steps:
            return
        self.counts.all_reduce()
        scores = self.counts.scores()
        self.counts.reset()
        if self.hold.is_released_by(100.0 - scores.top1):
            self.released_at = step

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds, plain types; every rank must call it. Counts that nobody waits for are left out."""
        return {"released_at": self.released_at, "counts": self.counts.of_all_ranks() if self.holds else []}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.released_at = state["released_at"]
        if state["counts"]:
            self.counts.go_on_from(state["counts"])
