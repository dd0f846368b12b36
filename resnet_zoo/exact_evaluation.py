"""Evaluation that counts every image exactly once, on any number of ranks, and proves it."""

from __future__ import annotations

import torch
import torch.distributed as dist
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from resnet_zoo.data.batch import ImageBatch
from resnet_zoo.errors import InvalidValue
from resnet_zoo.ledger import SampleLedger
from resnet_zoo.metrics import TOP_K, Scores, TopKCounts


class ExactEvaluation(LightningModule):
    """The evaluating half of a classifier: ``validate``, ``test``, ``predict`` and validation within ``fit``.

    Every rank counts what it sees; the counts are summed once, at the end. A ledger of indices shows that each image
    of the split was counted once; an evaluation of a whole split that missed or repeated one is an error.

    All ranks evaluate one and the same net, rank 0's: its parameters are the same everywhere anyway, and its buffers,
    such as the running statistics of batch normalisation, which each rank measures on images of its own, are sent to
    all ranks before the first batch. They are also the ones that a checkpoint holds, so ``validate`` gives the number
    again that was logged when the checkpoint was saved.

    Args:
        num_classes: number of classes.

    Raises:
        InvalidValue: fewer than two classes.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        if num_classes < 2:
            raise InvalidValue(f"num_classes={num_classes}: a classifier needs at least 2 classes.")
        self.num_classes = num_classes
        self.eval_counts = TopKCounts(num_classes)
        self.ledger: SampleLedger | None = None
        self.scores: dict[str, Scores] = {}

    def on_validation_epoch_start(self) -> None:
        """Begin counting the validation split."""
        self._begin("val")

    def on_test_epoch_start(self) -> None:
        """Begin counting the test split."""
        self._begin("test")

    def _begin(self, split: str) -> None:
        broadcast_buffers(self)
        self.eval_counts.reset()
        num_samples = getattr(getattr(self.trainer, "datamodule", None), "num_samples", {}).get(split)
        self.ledger = None if num_samples is None else SampleLedger(num_samples)

    def validation_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        """Count one batch; images that only pad it are labelled -1 and not counted.

        Returns:
            logits (b, num_classes), for callbacks that do more with them.
        """
        logits: Tensor = self(batch.images).float()
        losses = cross_entropy(logits, batch.labels, ignore_index=-1, reduction="none")
        self.eval_counts.update(logits, batch.labels, losses)
        if self.ledger is not None:
            self.ledger.record(batch.indices)
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
        self.eval_counts.all_reduce()
        scores = self.eval_counts.scores()
        if self.ledger is not None:
            self.ledger.all_reduce()
            self.ledger.check(split, scores.evaluated, complete=not self.evaluates_a_part(split))
        self.scores[split] = scores
        named = {"loss": scores.loss, "top1": scores.top1, "top5": scores.top5}
        values = {f"{split}/{name}": value for name, value in named.items() if value is not None}
        self.log_dict(values, logger=False, sync_dist=False, rank_zero_only=False)

    def evaluates_a_part(self, split: str) -> bool:
        """Whether the user asked for only some of the batches of a split."""
        trainer = self.trainer
        limit = trainer.limit_test_batches if split == "test" else trainer.limit_val_batches
        whole = isinstance(limit, float) and limit == 1.0  # the integer 1 is a single batch
        return bool(trainer.fast_dev_run) or trainer.sanity_checking or not whole  # type: ignore[attr-defined]

    def predict_step(self, batch: ImageBatch, batch_idx: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The likeliest classes of one batch, at most five.

        Returns:
            indices (b,), labels (b,), probabilities (b, k) in falling order and their classes (b, k), on the CPU.
        """
        probabilities = self(batch.images).float().softmax(dim=1)
        values, classes = probabilities.topk(min(TOP_K, self.num_classes), dim=1)
        return batch.indices.cpu(), batch.labels.cpu(), values.cpu(), classes.cpu()


def broadcast_buffers(module: nn.Module) -> None:
    """Give every rank rank 0's buffers; every rank must call it. Without a process group there is nothing to do.

    DistributedDataParallel may do so as well, before a forward pass; when exactly it does is its own business and
    depends on its settings.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return
    with torch.no_grad():
        for buffer in module.buffers():
            dist.broadcast(buffer, src=0)
