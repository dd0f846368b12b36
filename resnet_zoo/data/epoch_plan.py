"""What a rank does in one epoch, decided before the epoch begins."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class EpochPlan(NamedTuple):
    """Everything one rank does in one epoch, as flat arrays over its m images.

    Attributes:
        sources: int64 (m,), the image to fetch; -1 where any image will do (padding in evaluation).
        indices: int64 (m,), the same with -1 at all padding.
        seeds: int64 (m,), augmentation seeds; None in evaluation.
        bounds: batch k is ``bounds[k]:bounds[k + 1]``.
        update_sizes: per batch, the number of real images in its optimizer update; 0 in evaluation.
        share_seeds: int64 (m,), equal for images that are mixed alike; None where each is mixed by itself.
    """

    sources: Tensor
    indices: Tensor
    seeds: Tensor | None
    bounds: list[int]
    update_sizes: list[int]
    share_seeds: Tensor | None = None

    def piece(self, batch: int) -> slice:
        """Where a batch is in the flat arrays."""
        return slice(self.bounds[batch], self.bounds[batch + 1])

    def to(self, device: torch.device) -> EpochPlan:
        """The same plan with its arrays on a device."""
        seeds, shared = (None if each is None else each.to(device) for each in (self.seeds, self.share_seeds))
        return self._replace(
            sources=self.sources.to(device), indices=self.indices.to(device), seeds=seeds, share_seeds=shared
        )

    def request(self, batch: int) -> tuple[Tensor, Tensor | None]:
        """What to fetch for a batch: sources and seeds."""
        piece = self.piece(batch)
        return self.sources[piece], None if self.seeds is None else self.seeds[piece]
