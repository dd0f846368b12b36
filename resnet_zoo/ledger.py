"""The ledger of an evaluation: which images were counted, and how often."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from resnet_zoo.ranks import sum_over_ranks


class InexactEvaluation(RuntimeError):
    """An evaluation that counted an image twice or missed one: its scores must not be used."""


class SampleLedger:
    """Counts every image of a split by its index, over all ranks.

    That an evaluation covered each image exactly once is thereby observed, not assumed. ``record`` does not wait for
    the device.

    Args:
        num_samples: number of images in the split.
    """

    def __init__(self, num_samples: int) -> None:
        assert num_samples >= 0
        self.num_samples = num_samples
        # A row of how often each was counted and one of how often each was unreadable; the last column is for padding.
        self._counts = torch.zeros(2, num_samples + 1, dtype=torch.int32)

    @property
    def _times_seen(self) -> Tensor:
        return self._counts[0]

    def record(self, indices: Tensor, unreadable: Sequence[int] = ()) -> None:
        """Note one batch.

        Args:
            indices: int64 (b,), negative for images that only pad the batch.
            unreadable: indices of the images that should have been in the batch and could not be read.
        """
        if self._counts.device != indices.device:
            self._counts = self._counts.to(indices.device)
        places = torch.where(indices < 0, self.num_samples, indices)
        self._times_seen.index_add_(0, places, torch.ones_like(places, dtype=torch.int32))
        for index in unreadable:
            self._counts[1, index] += 1

    def all_reduce(self) -> None:
        """Add the counts of all ranks; every rank must call it, once."""
        self._counts = sum_over_ranks(self._counts)

    @property
    def duplicates(self) -> int:
        """How many countings were one too many."""
        return int((self._counts.sum(0)[:-1] - 1).clamp(min=0).sum())

    def missing(self) -> list[int]:
        """Indices of images that were neither counted nor found unreadable."""
        return torch.nonzero(self._counts.sum(0)[:-1] == 0).flatten().tolist()

    def unreadable(self) -> list[int]:
        """Indices of images that could not be read."""
        return torch.nonzero(self._counts[1, :-1]).flatten().tolist()

    def check(self, split: str, evaluated: int, complete: bool = True) -> None:
        """Insist that the images counted are those of the split, each once, without the unreadable ones.

        To be called after ``all_reduce``.

        Args:
            split: name of the split, for the message.
            evaluated: how many images the scores were made from.
            complete: whether the whole split was to be counted, and not only some of its batches.

        Raises:
            InexactEvaluation: an image was counted twice, the scores are of another number of images than the ledger
                has, or one is missing though all were to be counted.
        """
        missing, unreadable = self.missing(), self.unreadable()
        counted = self.num_samples - len(missing) - len(unreadable)
        if self.duplicates or evaluated != counted or (complete and missing):
            names = (
                f" ({', '.join(map(str, missing[:5]))}{', ...' if len(missing) > 5 else ''})"
                if missing
                else ""
            )
            raise InexactEvaluation(
                f"the evaluation of '{split}' is not exact: of {self.num_samples:,} images {counted:,} were seen, "
                f"{len(missing):,} were not{names}, {self.duplicates:,} countings were one too many, "
                f"{len(unreadable):,} could not be read, and the scores are of {evaluated:,}. "
                "This is a defect of the data module or of its loader; no score was logged."
            )
