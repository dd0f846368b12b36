"""How fast one worker makes images of its files."""

from __future__ import annotations

import contextlib
import time

import torch
from torch import Tensor

from resnet_zoo.data.sources import ImageSource
from resnet_zoo.errors import UserMistake


def fetching_speed(
    source: ImageSource, positions: Tensor, seeds: Tensor | None, seconds: float
) -> float | None:
    """Images/s that a worker makes of some images of a source.

    The first one also loads the decoder, and is not counted; nor is what cannot be read.

    Args:
        source: of the pixels.
        positions: int64 (n,).
        seeds: int64 (n,), or None as in evaluation.
        seconds: after which no more images are fetched.

    Returns:
        None if there was nothing to count.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a worker
    done, began, elapsed = 0, 0.0, 0.0
    try:
        for first in range(len(positions)):
            one = slice(first, first + 1)
            with contextlib.suppress(UserMistake):
                source.fetch(positions[one], None if seeds is None else seeds[one])
                done += first > 0
            began = began or time.perf_counter()
            elapsed = time.perf_counter() - began
            if elapsed > seconds:
                break
    finally:
        torch.set_num_threads(threads)
    return done / elapsed if done else None
