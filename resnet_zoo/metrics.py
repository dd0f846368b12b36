"""Exact top-1 and top-5 counts, kept on the device until somebody asks for them.

A number that is published comes from integers: how many images were evaluated and how many were right. The counts of
a batch are added to one small tensor without a device synchronisation; one sum over the ranks and one transfer give
the scores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

TOP_K = 5
"""Top-5 is the second published accuracy of ImageNet; it means nothing with fewer than five classes."""


def topk_hits(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """How many rows have their label among the one and among the five largest logits.

    The rank of a label is the number of other logits that are not smaller than its own. A tie therefore counts
    against the model and so does NaN, wherever it stands in the row: a net that answers the same for every class
    scores 0 %, not 100 %. Comparing needs no arithmetic, so half precision logits are ranked exactly as they are.

    Args:
        logits: (b, num_classes), any floating type.
        labels: (b,) int64; rows with a negative label are padding and are ignored.

    Returns:
        Two int64 scalars on the logits' device. With fewer than five classes the second counts every row whose
        own logit is a number.
    """
    top1, top5 = _label_among_largest(logits, labels)
    real = labels >= 0
    return (top1 & real).sum(), (top5 & real).sum()


def _label_among_largest(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Two masks (b,): the label's logit is the largest, is among the five largest. Padding rows are arbitrary."""
    num_classes = logits.shape[1]
    own = logits.gather(1, labels.clamp(min=0).unsqueeze(1))
    num_smaller = (logits < own).sum(1)
    # With NaN as its own logit a row has no smaller ones, which alone would still be a hit among one or five classes.
    is_number = (own == own).squeeze(1)
    return (num_smaller >= num_classes - 1) & is_number, (num_smaller >= num_classes - TOP_K) & is_number


@dataclass(frozen=True)
class Scores:
    """What the counts say. Accuracies are percentages, the loss is the mean per image; NaN if nothing was counted."""

    top1: float
    top5: float | None
    """None with fewer than five classes, and so is ``correct5``."""
    loss: float
    evaluated: int
    correct1: int
    correct5: int | None


class TopKCounts:
    """Sums over images: hits within top-1, hits within top-5, images, losses; one float64 tensor of four numbers.

    Float64 holds every count below 2**53 exactly and adds per-batch losses without losing digits. ``update`` launches
    a dozen small kernels and never waits for the device; the tensor follows the logits' device at the first update.

    Args:
        num_classes: number of classes; below five there is no top-5.

    Not a module and not part of any state dict: counts belong to an epoch, not to a model.
    """

    def __init__(self, num_classes: int) -> None:
        assert num_classes >= 1
        self.num_classes = num_classes
        self._sums = torch.zeros(4, dtype=torch.float64)
        self._waiting: list[Tensor] = []
        self._reduced = False

    @torch.no_grad()
    def update(self, logits: Tensor, labels: Tensor, losses: Tensor) -> None:
        """Add a batch.

        Args:
            logits: (b, num_classes).
            labels: (b,) int64; negative marks padding, which counts nowhere.
            losses: (b,) loss per image; its values at padding rows are ignored, NaN included.
        """
        assert not self._reduced, "reset() belongs between all_reduce() and the next update()"
        top1, top5 = _label_among_largest(logits, labels)
        real = labels >= 0
        counts = (torch.stack((top1, top5, real)) & real).sum(1)
        loss = losses.masked_fill(~real, 0.0)
        if not _has_float64(logits.device):
            # Counts of one batch are exact in float32; the batches are added up in float64 on the host when fetched.
            self._waiting.append(torch.cat((counts.float(), loss.float().sum().unsqueeze(0))))
            return
        if self._sums.device != logits.device:
            self._sums = self._sums.to(logits.device)
        self._sums += torch.cat((counts, loss.sum(dtype=torch.float64).unsqueeze(0)))

    def reset(self) -> None:
        """Forget everything counted so far."""
        if self._sums.is_inference():
            self._sums = torch.zeros_like(self._sums)
        self._sums.zero_()
        self._waiting.clear()
        self._reduced = False

    def all_reduce(self) -> None:
        """Add the counts of all ranks, in place, with one sum; every rank must call it. A second call adds nothing.

        Without an initialised process group there is nothing to add.
        """
        self._collect()
        if self._reduced:
            return
        self._reduced = True
        if not (dist.is_available() and dist.is_initialized()):
            return
        if self._sums.device.type == "cpu" and "cpu" not in str(dist.get_backend_config()):
            # A rank that saw no batch still takes part, with zeros, where its backend can reach them.
            self._sums = self._sums.to(torch.accelerator.current_accelerator())
        dist.all_reduce(self._sums, op=dist.ReduceOp.SUM)

    def scores(self) -> Scores:
        """The scores of what was counted, on this rank or, after ``all_reduce``, on all; waits for the device."""
        self._collect()
        hits1, hits5, count, loss_sum = self._sums.tolist()
        return Scores(
            top1=100.0 * hits1 / count if count else math.nan,
            top5=(100.0 * hits5 / count if count else math.nan) if self.num_classes >= TOP_K else None,
            loss=loss_sum / count if count else math.nan,
            evaluated=int(count),
            correct1=int(hits1),
            correct5=int(hits5) if self.num_classes >= TOP_K else None,
        )

    def loss_sum(self) -> float:
        """Sum of the losses counted so far on this rank; waits for the device. Not finite if any of them was not."""
        self._collect()
        return float(self._sums[3])

    def _collect(self) -> None:
        if self._waiting:
            self._sums += torch.stack(self._waiting).cpu().double().sum(0)
            self._waiting.clear()


def _has_float64(device: torch.device) -> bool:
    """Apple's GPUs know no float64."""
    return device.type != "mps"
