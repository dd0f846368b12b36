"""Images that cannot be read: each named once, those of training counted against a budget."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple, Protocol

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.optim import Optimizer

from resnet_zoo.errors import UserMistake
from resnet_zoo.ranks import from_all_ranks, sum_over_ranks


class BadImage(Protocol):
    """An image of a split that could not be read, as ``data.batch.Unreadable``."""

    @property
    def position(self) -> int:
        """Its position in the split."""

    @property
    def path(self) -> str:
        """Of its file."""

    @property
    def cause(self) -> str:
        """Why."""


class BadImageBudgetExceeded(UserMistake):
    """More training images cannot be read than the run may leave out."""


class _Named(NamedTuple):
    path: str
    cause: str


class BadImages(Callback):
    """Names images that could not be read and lets a training leave out so many of them.

    A rank's batches come without their unreadable images, and a batch's loss is its sum divided by the number of
    images planned for the whole update. Before an optimizer step the ranks agree on how many are missing, and the
    gradients are scaled by planned over found: the update is the mean over the images that there are, however they
    were spread over ranks and accumulated batches. With a budget of 0 the loader raises at the first bad image, and
    the ranks exchange nothing.

    Args:
        budget: how many different training images the run may leave out, over all ranks and resumed parts.
    """

    def __init__(self, budget: int = 0) -> None:
        self.budget = budget
        self.known: dict[int, _Named] = {}
        self._of_update: list[BadImage] = []
        self._planned = 0
        self._named: set[str] = set()
        self._told: dict[str, int] = {}

    # Training

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Note what this rank's part of the update lacks."""
        if batch_idx % trainer.accumulate_grad_batches == 0:
            self._of_update = []
        self._of_update += batch.unreadable
        self._planned = batch.update_size

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Make the gradients the mean over the images that there are.

        Raises:
            BadImageBudgetExceeded: on all ranks alike.
        """
        if not self.budget:
            return
        missing = int(sum_over_ranks(torch.tensor(len(self._of_update))))
        if not missing:
            return
        of_all_ranks = [image for part in from_all_ranks(self._of_update) for image in part]
        self._remember(of_all_ranks, trainer.is_global_zero)
        found = self._planned - missing
        if not found:
            # An optimizer leaves parameters without gradients as they are.
            optimizer.zero_grad(set_to_none=True)
            return
        gradients = [
            parameter.grad
            for group in optimizer.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        ]
        torch._foreach_mul_(gradients, self._planned / found)

    def _remember(self, images: list[BadImage], speaks: bool) -> None:
        for image in images:
            if image.position in self.known:
                continue
            self.known[image.position] = _Named(image.path, image.cause)
            if len(self.known) > self.budget:
                raise BadImageBudgetExceeded(
                    f"{len(self.known):,} training images cannot be read and bad_image_budget={self.budget}; the last "
                    f"is {image.path!r}: {image.cause}. 'resnet-zoo data check' finds all; repair or remove them, or "
                    "allow more."
                )
            if speaks:
                _say(
                    f"left out of training: {image.path!r} cannot be read: {image.cause} "
                    f"({len(self.known)} of at most {self.budget})."
                )

    def state_dict(self) -> dict[str, Any]:
        """A resumed run must not begin to count, and to name, again."""
        return {"known": [[index, *image] for index, image in self.known.items()]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting."""
        self.known = {index: _Named(path, cause) for index, path, cause in state_dict["known"]}

    # Evaluation

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *args: Any, **more: Any
    ) -> None:
        """Name what the batch lacks, on the rank that found it; an image is always evaluated by the same rank."""
        for image in batch.unreadable:
            if image.path not in self._named:
                self._named.add(image.path)
                _say(f"not evaluated: {image.path!r} cannot be read: {image.cause}.")

    on_test_batch_end = on_validation_batch_end
    on_predict_batch_end = on_validation_batch_end

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say over how many images the scores are, unless it was said of as many before."""
        self._tell(trainer, pl_module, "val")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The same for the test split."""
        self._tell(trainer, pl_module, "test")

    def _tell(self, trainer: Trainer, pl_module: LightningModule, split: str) -> None:
        ledger: Any = getattr(getattr(pl_module, "tally", None), "ledger", None)
        missing = len(ledger.unreadable()) if ledger is not None else 0
        if missing and trainer.is_global_zero and self._told.get(split) != missing:
            self._told[split] = missing
            _say(
                f"the scores of '{split}' are over {ledger.num_samples - missing:,} of {ledger.num_samples:,} images: "
                f"{missing:,} could not be read."
            )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
