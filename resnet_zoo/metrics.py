"""Exact top-1 and top-5 counts, kept on the device until somebody asks for them.

A number that is published comes from integers: how many images were evaluated and how many were right. They are added
up on the device without a synchronisation; one sum over the ranks and one transfer give the scores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor

from resnet_zoo.ranks import from_all_ranks, is_in_group, sum_over_ranks

TOP_K = 5
"""Top-5 is the second published accuracy of ImageNet; it means nothing with fewer than five classes."""

# In place of a number of smaller logits: below every threshold of a hit, and below every threshold at all.
_NOT_A_NUMBER = -1.0
_PADDING = -2.0

_FEW, _MOST_WAITING = 2**14, 64
"""So many logits or fewer are kept, and so many batches of them counted together: a count of one batch takes as many
kernels as a count of many. More logits are counted at once.
"""

_LOSS_UNITS = 2.0**28
"""A loss is rounded to a multiple of one over this, which is 4e-9. Float64 adds such numbers up to 2**25 without
rounding again, so that a sum is the same in whatever order and groups batches are added, on however many ranks.
"""


def topk_hits(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """How many rows have their label among the one and among the five largest logits.

    The rank of a label is the number of other logits that are not smaller than its own. A tie therefore counts
    against the model and so does NaN, wherever it stands in the row: a net that answers the same for every class
    scores 0 %, not 100 %. Comparing needs no arithmetic, so half precision logits are ranked exactly as they are.

    Args:
        logits: (b, num_classes), any floating type.
        labels: (b,) int64; rows with a negative label are padding and are ignored.

    Returns:
        Two int64 scalars on the logits' device. With five classes or fewer the second counts every row whose label's
        logit is a number.
    """
    hits1, hits5, _ = _count(logits.detach(), labels, _thresholds(logits.shape[1]).to(logits.device))
    return hits1, hits5


def _thresholds(num_classes: int) -> Tensor:
    """(3, 1): how many smaller logits make a hit within top-1, within top-5, and a row that is no padding."""
    return torch.tensor([[num_classes - 1.0], [max(num_classes - TOP_K, 0.0)], [_NOT_A_NUMBER]])


def _count(logits: Tensor, labels: Tensor, thresholds: Tensor) -> Tensor:
    """(3,) int64: hits within top-1, hits within top-5, rows that are no padding."""
    own = logits.gather(1, labels.clamp(min=0).unsqueeze(1))
    # A comparison that writes floats, and their sum, are vectorised on CPUs; booleans summed to integers are not. It
    # makes 110 us out of 320 for 256 rows of 1000 classes, and a float32 counts exactly up to 2**24 of them.
    is_smaller = torch.lt(
        logits, own, out=torch.empty(logits.shape, dtype=torch.float32, device=logits.device)
    )
    num_smaller = is_smaller.sum(1)
    if logits.shape[1] <= TOP_K:
        # NaN has no smaller logits, which alone would still be a hit where all or all but few ranks are hits.
        num_smaller.masked_fill_((own != own).squeeze(1), _NOT_A_NUMBER)
    num_smaller.masked_fill_(labels < 0, _PADDING)
    return (num_smaller >= thresholds).sum(1)


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


WeightsName = Literal["raw", "ema"]
"""The weights that scores are of: those that are trained, or their exponential moving average."""


def named_scores(split: str, scores: Scores, weights: WeightsName = "raw") -> dict[str, float]:
    """The scores under the names of their columns, in this order; no top-5 with fewer than five classes.

    They are ``val/loss``, ``val/top1`` and ``val/top5``, and of averaged weights ``val/ema_loss`` and so on.
    """
    prefix = f"{split}/ema_" if weights == "ema" else f"{split}/"
    values = {"loss": scores.loss, "top1": scores.top1, "top5": scores.top5}
    return {f"{prefix}{name}": value for name, value in values.items() if value is not None}


class TopKCounts:
    """Sums over images: hits within top-1, hits within top-5, images, losses; one float64 tensor of four numbers.

    Float64 holds every count below 2**53 exactly; losses are rounded to 4e-9, which is less than float32 knows of a
    cross-entropy, and are then added exactly, too. ``update`` copies a few logits, or launches a dozen kernels for
    many, and never waits for the device; the sums follow the logits' device.
    Counts are no module's state: they belong to an epoch, not to a model, and stay out of checkpoints.

    Args:
        num_classes: number of classes; below five there is no top-5.
    """

    def __init__(self, num_classes: int) -> None:
        assert num_classes >= 1
        self.num_classes = num_classes
        self._sums = torch.zeros(4, dtype=torch.float64)
        self._thresholds = _thresholds(num_classes)
        self._waiting: list[tuple[Tensor, Tensor, Tensor]] = []
        self._reduced = False

    def update(self, logits: Tensor, labels: Tensor, losses: Tensor) -> None:
        """Add a batch.

        Args:
            logits: (b, num_classes).
            labels: (b,) int64; negative marks padding, which counts nowhere.
            losses: (b,) loss per image; its values at padding rows are ignored, NaN included. Labels and losses are
                kept as they are: nobody may write into them.
        """
        assert not self._reduced, "reset() belongs between all_reduce() and the next update()"
        few = logits.numel() <= _FEW
        self._waiting.append((logits.detach().clone() if few else logits.detach(), labels, losses.detach()))
        if not few or len(self._waiting) == _MOST_WAITING:
            self._collect()

    def reset(self) -> None:
        """Forget everything counted so far."""
        # A tensor made in inference mode, as during a validation, could not be updated in training afterwards.
        with torch.inference_mode(False):
            self._sums = torch.zeros_like(self._sums)
        self._waiting.clear()
        self._reduced = False

    def copy(self) -> TopKCounts:
        """The counts as they are now, on their own."""
        twin = TopKCounts(self.num_classes)
        twin.take_over(self)
        return twin

    def take_over(self, other: TopKCounts) -> None:
        """Forget these counts and have those of another."""
        with torch.inference_mode(False):
            self._sums, self._thresholds = other._sums.clone(), other._thresholds
        self._waiting, self._reduced = list(other._waiting), other._reduced

    def all_reduce(self) -> None:
        """Add the counts of all ranks with one sum; every rank must call it. A second call adds nothing."""
        if self._reduced:
            return
        self._collect()
        self._reduced = True
        self._sums = sum_over_ranks(self._sums)

    def scores(self) -> Scores:
        """The scores of what was counted, on this rank or, after ``all_reduce``, on all; waits for the device."""
        self._collect()
        hits1, hits5, count, loss_sum = self._sums.tolist()
        with_top5 = self.num_classes >= TOP_K
        return Scores(
            top1=_percent(hits1, count),
            top5=_percent(hits5, count) if with_top5 else None,
            loss=loss_sum / count if count else math.nan,
            evaluated=int(count),
            correct1=int(hits1),
            correct5=int(hits5) if with_top5 else None,
        )

    def of_all_ranks(self) -> list[list[float]]:
        """What each rank has counted since its last reset, to be saved; every rank must call it."""
        self._collect()
        own = self._sums.tolist()
        return [own] if self._reduced else from_all_ranks(own)

    def go_on_from(self, saved: list[list[float]]) -> None:
        """Continue what ``of_all_ranks`` gave: each rank its own, or rank 0 everything if there were more or fewer."""
        self.reset()
        rank, world_size = 0, 1
        if is_in_group():
            rank, world_size = dist.get_rank(), dist.get_world_size()
        if len(saved) == world_size:
            self._sums += torch.tensor(saved[rank], dtype=torch.float64)
        elif rank == 0:
            self._sums += torch.tensor(saved, dtype=torch.float64).sum(0)

    def loss_sum(self) -> float:
        """Sum of the losses counted so far on this rank; waits for the device. Not finite if any of them was not."""
        self._collect()
        return float(self._sums[3])

    def _collect(self) -> None:
        """Count the batches that wait, on their device."""
        if not self._waiting:
            return
        parts = zip(*self._waiting, strict=True)
        logits, labels, losses = (torch.cat(part) if len(part) > 1 else part[0] for part in parts)
        self._waiting.clear()
        if not _has_float64(logits.device):
            logits, labels, losses = logits.cpu(), labels.cpu(), losses.cpu()
        if self._sums.device != logits.device:
            self._move_to(logits.device)
        units = losses.masked_fill(labels < 0, 0.0).double().mul_(_LOSS_UNITS).round_()
        self._sums[:3].add_(_count(logits, labels, self._thresholds))
        self._sums[3].add_(units.sum().div_(_LOSS_UNITS))

    def _move_to(self, device: torch.device) -> None:
        with torch.inference_mode(False):
            self._sums, self._thresholds = self._sums.to(device), self._thresholds.to(device)


def _percent(hits: float, count: float) -> float:
    return 100.0 * hits / count if count else math.nan


def _has_float64(device: torch.device) -> bool:
    """Apple's GPUs know no float64."""
    return device.type != "mps"
