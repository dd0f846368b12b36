"""Splitting a set of labelled images into two, the same way on every machine and for ever."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from resnet_zoo.data.shuffling import permutation


def stratified_split(
    labels: NDArray[Any], num_chosen: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose a number of images at random with the same share of every class.

    Shares that are not whole numbers are rounded so that the total is exact (by largest remainder, then
    lowest class).

    Args:
        labels: class of every image, integers (n,).
        num_chosen: how many to choose, from 0 to n.
        seed: of the choice.

    Returns:
        Positions of the rest and positions of the chosen, each in ascending order.
    """
    classes, counts = np.unique(labels, return_counts=True)
    shares = counts * num_chosen / len(labels)
    quotas = np.floor(shares).astype(np.int64)
    largest_first = np.argsort(-(shares - quotas), kind="stable")
    quotas[largest_first[: num_chosen - quotas.sum()]] += 1
    shuffled = permutation(len(labels), seed).numpy()
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    chosen = np.zeros(len(labels), dtype=bool)
    for start, quota in zip(starts.tolist(), quotas.tolist(), strict=True):
        chosen[by_class[start : start + quota]] = True
    assert len(classes) == len(quotas)
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)
