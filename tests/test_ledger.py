"""The ledger sees what was counted twice and what was never counted."""

from __future__ import annotations

import torch

from resnet_zoo.ledger import SampleLedger


def test_each_once_leaves_nothing_to_say() -> None:
    ledger = SampleLedger(5)
    ledger.record(torch.tensor([4, 0, 2, -1]))
    ledger.record(torch.tensor([1, 3, -1, -1]))
    ledger.all_reduce()
    assert ledger.duplicates == 0
    assert ledger.missing() == []


def test_duplicates_and_gaps_are_found() -> None:
    ledger = SampleLedger(4)
    ledger.record(torch.tensor([0, 0, 0, 2, -1]))
    assert ledger.duplicates == 2
    assert ledger.missing() == [1, 3]


def test_an_empty_split_is_complete() -> None:
    ledger = SampleLedger(0)
    ledger.record(torch.tensor([-1, -1]))
    assert (ledger.duplicates, ledger.missing()) == (0, [])
