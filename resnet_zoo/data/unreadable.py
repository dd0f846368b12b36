"""Batches with images that cannot be read: what is left of them, with nothing in the place of what is missing."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from resnet_zoo.data.batch import ImageBatch, Unreadable
from resnet_zoo.data.decode import UnreadableImage
from resnet_zoo.data.order import MINIMUM_BATCH

_ANY_IMAGE = -1  # what a source is asked for where the pixels do not matter

Fetched = tuple[Tensor, list[tuple[int, UnreadableImage]]]
"""uint8 images (b, 3, h, w), and which rows of them could not be read and mean nothing."""


class Fetching(Protocol):
    """Where pixels come from, as ``sources.ImageSource``."""

    def fetch(self, positions: Tensor, seeds: Tensor | None) -> Tensor:
        """uint8 (b, 3, h, w); raises UnreadableImage."""


def fetch_readable(source: Fetching, positions: Tensor, seeds: Tensor | None) -> Fetched:
    """As ``source.fetch``, except that an unreadable image leaves a blank row instead of ending everything.

    A source says no more than that something in a batch is unreadable. Such a batch is fetched once more image by
    image, which costs time only where there is damage.

    Args:
        source: of the pixels.
        positions: int64 (b,).
        seeds: int64 (b,), or None in evaluation.
    """
    try:
        return source.fetch(positions, seeds), []
    except UnreadableImage:
        positions = positions.clone()
    failures = []
    for row in range(len(positions)):
        one = slice(row, row + 1)
        try:
            source.fetch(positions[one], None if seeds is None else seeds[one])
        except UnreadableImage as failure:
            failures.append((row, failure))
            positions[row] = _ANY_IMAGE
    return source.fetch(positions, seeds), failures


def without_unreadable(batch: ImageBatch, failures: list[tuple[int, UnreadableImage]]) -> ImageBatch:
    """A batch that names its unreadable images and counts none of them.

    Args:
        batch: as if everything had been read.
        failures: rows, and why they could not be read.

    Returns:
        In evaluation a batch of the same shape, its unreadable rows marked as padding. In training a smaller one, or,
        with fewer than two images left, one with padding, whose pixels are blank.
    """
    indices = batch.indices.tolist()
    # a row that repeats another one as padding is not that image's own place
    unreadable = tuple(
        Unreadable(indices[row], failure.path, failure.cause)
        for row, failure in failures
        if indices[row] >= 0
    )
    rows = torch.tensor([row for row, _ in failures], device=batch.indices.device)
    marked = batch._replace(
        labels=batch.labels.index_fill(0, rows, -1),
        indices=batch.indices.index_fill(0, rows, -1),
        unreadable=unreadable,
    )
    if batch.seeds is None or len(indices) - len(failures) < MINIMUM_BATCH:
        return marked
    left = torch.ones(len(indices), dtype=torch.bool, device=batch.indices.device).index_fill(0, rows, False)
    return marked._replace(
        images=marked.images[left],
        labels=marked.labels[left],
        indices=marked.indices[left],
        seeds=batch.seeds[left],
        share_seeds=None if batch.share_seeds is None else batch.share_seeds[left],
    )
