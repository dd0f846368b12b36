"""Stratified splits: exact sizes, equal shares, fixed for ever."""

from __future__ import annotations

import numpy as np
import pytest

from resnet_zoo.data.splits import stratified_split

LABELS = np.repeat(np.arange(5), [10, 20, 30, 40, 3])


@pytest.mark.parametrize("num_chosen", [0, 1, 7, 50, 102, 103])
def test_sizes_are_exact_and_nothing_is_lost(num_chosen: int) -> None:
    rest, chosen = stratified_split(LABELS, num_chosen, 0)
    assert len(chosen) == num_chosen
    assert sorted([*rest, *chosen]) == list(range(103))
    assert (np.diff(rest) > 0).all()
    assert (np.diff(chosen) > 0).all()


@pytest.mark.parametrize("num_chosen", [7, 50, 90])
def test_every_class_gives_its_share_to_within_one_image(num_chosen: int) -> None:
    _, chosen = stratified_split(LABELS, num_chosen, 3)
    counts = np.bincount(LABELS[chosen], minlength=5)
    shares = np.bincount(LABELS) * num_chosen / 103
    assert (np.abs(counts - shares) < 1).all()


def test_depends_on_the_seed_alone() -> None:
    first = stratified_split(LABELS, 20, 0)[1].tolist()
    assert stratified_split(LABELS, 20, 0)[1].tolist() == first
    assert stratified_split(LABELS, 20, 1)[1].tolist() != first


def test_order_of_the_labels_does_not_matter_to_the_shares() -> None:
    shuffled = np.random.default_rng(0).permutation(LABELS)
    _, chosen = stratified_split(shuffled, 20, 0)
    _, ordered = stratified_split(LABELS, 20, 0)
    assert np.bincount(shuffled[chosen]).tolist() == np.bincount(LABELS[ordered]).tolist()


def test_splits_are_what_they_were() -> None:
    """Guards the validation images of published runs: they may never change."""
    assert stratified_split(np.arange(12) % 3, 3, 0)[1].tolist() == [2, 9, 10]
