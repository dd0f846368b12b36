"""Predictions averaged over several passes through a split: over views of the images and over checkpoints."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from resnet_zoo.ledger import SampleLedger
from resnet_zoo.metrics import Scores, TopKCounts

_ROWS_AT_A_TIME = 4096


class AveragedPredictions:
    """The mean over passes of the softmax probabilities of every image that this rank evaluates.

    Kept as logarithms in float64, on the CPU: a probability too small for a float32 is not lost, the loss stays
    finite, and the order of the classes after a single pass is the order of its logits. For 50,000 images of 1000
    classes that is 400 MB, divided over the ranks.

    Args:
        num_samples: images in the split.
        num_classes: number of classes.
        world_size: number of ranks; rank r has the images r, r + W, r + 2W, … in every pass, as ``EvaluationOrder``
            deals them out.
    """

    def __init__(self, num_samples: int, num_classes: int, world_size: int = 1) -> None:
        rows = -(-num_samples // world_size)
        self.num_samples = num_samples
        self.num_classes = num_classes
        self.world_size = world_size
        self.num_passes = 0
        self._log_sums = torch.full((rows, num_classes), -math.inf, dtype=torch.float64)
        self._labels = torch.full((rows,), -1)
        self._indices = torch.full((rows,), -1)
        self._times_seen = torch.zeros(rows, dtype=torch.int64)
        self._unreadable: set[int] = set()

    def begin_pass(self) -> None:
        """Say that each image is about to be seen once more."""
        self.num_passes += 1

    def add(self, indices: Tensor, labels: Tensor, logits: Tensor, unreadable: Iterable[int] = ()) -> None:
        """Add a batch of the pass at hand.

        Args:
            indices: int64 (b,), position in the split; negative for images that only pad the batch.
            labels: int64 (b,).
            logits: (b, num_classes), on any device; waits for it.
            unreadable: positions of the images that could not be read.
        """
        self._unreadable.update(unreadable)
        indices = indices.cpu()
        real = indices >= 0
        indices = indices[real]
        rows = indices // self.world_size
        log_probabilities = logits.detach().cpu()[real].double().log_softmax(dim=1)
        self._log_sums[rows] = torch.logaddexp(self._log_sums[rows], log_probabilities)
        self._labels[rows] = labels.cpu()[real]
        self._indices[rows] = indices
        self._times_seen.index_add_(0, rows, torch.ones_like(rows))

    def scores(self, split: str, complete: bool = True) -> Scores:
        """What the mean probabilities score over all ranks; every rank must call it, once.

        Args:
            split: name of the split, for messages.
            complete: whether the whole split was to be seen, and not only some of its batches.

        Returns:
            the scores; their loss is the mean of -log of the label's mean probability.

        Raises:
            InexactEvaluation: an image was not seen exactly once in every pass.
        """
        counts, ledger = TopKCounts(self.num_classes), SampleLedger(self.num_samples)
        seen = self._times_seen > 0
        ledger.record(self._indices[seen], sorted(self._unreadable))
        in_every_pass = torch.nonzero(seen & (self._times_seen == self.num_passes)).flatten()
        for rows in torch.split(in_every_pass, _ROWS_AT_A_TIME):
            means = self._log_sums[rows] - math.log(self.num_passes)
            labels = self._labels[rows]
            counts.update(means, labels, -means.gather(1, labels.unsqueeze(1)).squeeze(1))
        counts.all_reduce()
        ledger.all_reduce()
        scores = counts.scores()
        ledger.check(split, scores.evaluated, complete=complete)
        return scores
