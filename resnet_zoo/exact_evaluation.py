"""Evaluation that counts every image exactly once, on any number of ranks, and proves it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from resnet_zoo.data.batch import ImageBatch
from resnet_zoo.errors import InvalidValue
from resnet_zoo.lean_module import LeanModule
from resnet_zoo.ledger import SampleLedger
from resnet_zoo.metrics import TOP_K, Scores, TopKCounts, WeightsName, named_scores
from resnet_zoo.ranks import is_in_group
from resnet_zoo.weights import state_of


class Tally:
    """What one set of weights scores over a split: its counts, and a ledger of the images that they are of.

    Args:
        num_classes: number of classes.
    """

    def __init__(self, num_classes: int) -> None:
        self.counts = TopKCounts(num_classes)
        self.ledger: SampleLedger | None = None

    def begin(self, num_samples: int | None) -> None:
        """Forget everything; a split of an unknown number of samples gets no ledger."""
        self.counts.reset()
        self.ledger = None if num_samples is None else SampleLedger(num_samples)

    def add(self, batch: ImageBatch, logits: Tensor) -> None:
        """Count a batch; logits (b, num_classes) float32. Images that only pad it are labelled -1 and not counted."""
        losses = cross_entropy(logits, batch.labels, ignore_index=-1, reduction="none")
        self.counts.update(logits, batch.labels, losses)
        if self.ledger is not None:
            self.ledger.record(batch.indices, [image.position for image in batch.unreadable])

    def scores(self, split: str, complete: bool) -> Scores:
        """Sum over all ranks; every rank must call it, once.

        Raises:
            InexactEvaluation: an image was counted twice, or one of a complete split not at all.
        """
        self.counts.all_reduce()
        scores = self.counts.scores()
        if self.ledger is not None:
            self.ledger.all_reduce()
            self.ledger.check(split, scores.evaluated, complete=complete)
        return scores


class ExactEvaluation(LeanModule):
    """The evaluating half of a classifier: ``validate``, ``test``, ``predict`` and validation within ``fit``.

    Every rank counts what it sees; the counts are summed once, at the end. A ledger of indices shows that each image
    of the split was counted once; an evaluation of a whole split that missed or repeated one is an error.

    All ranks evaluate one and the same net, rank 0's: its parameters are the same everywhere anyway, and its buffers,
    such as the running statistics of batch normalisation, which each rank measures on images of its own, are sent to
    all ranks before the first batch. They are also the ones that a checkpoint holds, so ``validate`` gives the number
    again that was logged when the checkpoint was saved.

    Weights that are averaged during a training are scored in the same pass, each batch by both. Their scores are
    called ``val/ema_top1`` and so on, also where an evaluation on its own loads them from a checkpoint.

    Args:
        num_classes: number of classes.

    Attributes:
        scores: of the last evaluation of each split.
        averaged: averaged tensors by their names in the state dict, while a training has some; no part of the module.
        ema_scores: what they scored.
        weights_name: the weights of a checkpoint that an evaluation on its own loads and scores.

    Raises:
        InvalidValue: fewer than two classes.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        if num_classes < 2:
            raise InvalidValue(f"num_classes={num_classes}: a classifier needs at least 2 classes.")
        self.num_classes = num_classes
        self.tally, self.ema_tally = Tally(num_classes), Tally(num_classes)
        self.scores: dict[str, Scores] = {}
        self.ema_scores: dict[str, Scores] = {}
        self.averaged: Mapping[str, Tensor] | None = None
        self.weights_name: WeightsName = "raw"
        self._scored_average: dict[str, Tensor] = {}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the averaged weights in place of the raw ones, if they are the ones to be evaluated."""
        if self.weights_name == "ema" and self.trainer.state.fn != "fit":
            checkpoint["state_dict"] = state_of(checkpoint, "ema")

    def on_validation_epoch_start(self) -> None:
        """Begin counting the validation split."""
        self._begin("val")

    def on_test_epoch_start(self) -> None:
        """Begin counting the test split."""
        self._begin("test")

    def _begin(self, split: str) -> None:
        num_samples = getattr(getattr(self.trainer, "datamodule", None), "num_samples", {}).get(split)
        broadcast_from_rank_zero(self.buffers())
        self.tally.begin(num_samples)
        self.ema_scores.pop(split, None)
        self._scored_average = {}
        if self.averaged is not None:
            buffers = {name for name, _ in self.named_buffers()}
            broadcast_from_rank_zero(value for name, value in self.averaged.items() if name in buffers)
            self.ema_tally.begin(num_samples)
            own = self.state_dict()  # an average of half-precision weights is kept in float32
            self._scored_average = {name: value.to(own[name].dtype) for name, value in self.averaged.items()}

    def validation_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        """Count one batch.

        Returns:
            logits (b, num_classes), for callbacks that do more with them.
        """
        logits: Tensor = self(batch.images).float()
        self.tally.add(batch, logits)
        if self._scored_average:
            self.ema_tally.add(batch, functional_call(self, self._scored_average, (batch.images,)).float())
        return logits

    test_step = validation_step

    def on_validation_epoch_end(self) -> None:
        """Sum the counts over all ranks."""
        self._publish("val")

    def on_test_epoch_end(self) -> None:
        """Sum the counts over all ranks."""
        self._publish("test")

    def _publish(self, split: str) -> None:
        """Scores over all ranks, for ``MetricsWriter``, which logs them, and for callbacks that monitor a score.

        Raises:
            InexactEvaluation: an image was counted twice, or one of the whole split not at all.
        """
        complete = not self.evaluates_a_part(split)
        self.scores[split] = self.tally.scores(split, complete)
        values = named_scores(split, self.scores[split], self.weights_name)
        if self._scored_average:
            self.ema_scores[split] = self.ema_tally.scores(split, complete)
            values |= named_scores(split, self.ema_scores[split], "ema")
            self._scored_average = {}
        self.log_dict(values, logger=False, sync_dist=False, rank_zero_only=False)

    def evaluates_a_part(self, split: str) -> bool:
        """Whether the user asked for only some of the batches of a split."""
        trainer = self.trainer
        limit = trainer.limit_test_batches if split == "test" else trainer.limit_val_batches
        whole = isinstance(limit, float) and limit == 1.0  # the integer 1 is a single batch
        return bool(trainer.fast_dev_run) or trainer.sanity_checking or not whole  # type: ignore[attr-defined]

    def predict_step(
        self, batch: ImageBatch, batch_idx: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """The likeliest classes of one batch, at most five.

        Returns:
            indices (b,), labels (b,), probabilities (b, k) in falling order and their classes (b, k), and the indices
            of images that could not be read, on the CPU.
        """
        probabilities = self(batch.images).float().softmax(dim=1)
        values, classes = probabilities.topk(min(TOP_K, self.num_classes), dim=1)
        unreadable = torch.tensor([image.position for image in batch.unreadable], dtype=torch.int64)
        return batch.indices.cpu(), batch.labels.cpu(), values.cpu(), classes.cpu(), unreadable


def broadcast_from_rank_zero(tensors: Iterable[Tensor]) -> None:
    """Give every rank rank 0's values; every rank must call it. Without a process group there is nothing to do.

    DistributedDataParallel may do so with a module's buffers as well, before a forward pass; when exactly it does is
    its own business and depends on its settings.
    """
    if not is_in_group():
        return
    with torch.no_grad():
        for tensor in tensors:
            dist.broadcast(tensor, src=0)
