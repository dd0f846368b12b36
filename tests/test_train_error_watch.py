"""A hold ends after the first window of updates whose training error is low enough, and for good."""

from __future__ import annotations

import os
from typing import Any

import torch
import torch.distributed as dist

from resnet_zoo.optim import HoldUntilTrainError
from resnet_zoo.train_error_watch import TrainErrorWatch
from tests.ranks import run_on_ranks

LABELS = torch.arange(10)
LOSSES = torch.ones(10)


def predictions(right: int) -> torch.Tensor:
    """Logits for ten images of ten classes, ``right`` of them correct."""
    predicted = torch.where(right > LABELS, LABELS, (LABELS + 1) % 10)
    return torch.nn.functional.one_hot(predicted, 10).float()


def run(watch: TrainErrorWatch, right: list[int], start: int = 0) -> list[bool]:
    """Whether the rate was held at each update, with so many right answers in each."""
    held = []
    for step, number in enumerate(right, start=start):
        watch.begin_update(step)
        held.append(watch.holds)
        watch.count(predictions(number), LABELS, LOSSES)
    return held


def test_the_error_of_a_whole_window_decides() -> None:
    watch = TrainErrorWatch(HoldUntilTrainError(0.1, 80.0, window_steps=2), 10)
    # Windows of 80 %, which is not below 80 %, of 75 %, and then a bad one that holds nothing down again.
    assert run(watch, [4, 0, 5, 0, 0, 0, 0]) == [True, True, True, True, False, False, False]
    assert watch.released_at == 4


def test_a_saved_watch_goes_on_within_its_window() -> None:
    hold = HoldUntilTrainError(0.1, 80.0, window_steps=4)
    right = [3, 3, 2, 2, 0, 0]
    straight = TrainErrorWatch(hold, 10)
    expected = run(straight, right)
    assert True in expected
    assert False in expected
    for stop in range(1, len(right)):
        first, second = TrainErrorWatch(hold, 10), TrainErrorWatch(hold, 10)
        held = run(first, right[:stop])
        second.load(first.state())
        assert held + run(second, right[stop:], start=stop) == expected
        assert second.state() == straight.state()


def test_padding_is_not_counted() -> None:
    watch = TrainErrorWatch(HoldUntilTrainError(0.1, 80.0, window_steps=1), 10)
    watch.count(predictions(3), torch.where(LABELS < 3, LABELS, -1), LOSSES)
    watch.begin_update(1)
    assert not watch.holds


def test_without_a_hold_there_is_nothing_to_count() -> None:
    watch = TrainErrorWatch(None, 10)
    assert run(watch, [0, 0, 0]) == [False] * 3
    assert watch.counts.scores().evaluated == 0


def _released_on_a_rank(right: list[list[int]], state: dict[str, Any] | None) -> tuple[list[bool], Any]:
    dist.init_process_group("gloo")
    watch = TrainErrorWatch(HoldUntilTrainError(0.1, 80.0, window_steps=2), 10)
    if state is not None:
        watch.load(state)
    held = run(watch, right[int(os.environ["RANK"])], start=0 if state is None else 1)
    return held, watch.state()


def test_all_ranks_are_counted_and_agree() -> None:
    """Neither rank's own error is what decides: one is always wrong, the other right often enough for both."""
    right = [[0, 0, 0, 0, 0], [4, 4, 5, 4, 0]]
    together = run_on_ranks(2, _released_on_a_rank, right, None)
    assert [held for held, _ in together] == [[True, True, True, True, False]] * 2
    # Half-way through the second window, from a checkpoint of the first update.
    begun = run_on_ranks(2, _released_on_a_rank, [numbers[:1] for numbers in right], None)
    assert begun[0][1] == begun[1][1]
    continued = run_on_ranks(2, _released_on_a_rank, [numbers[1:] for numbers in right], begun[0][1])
    assert [held for held, _ in continued] == [[True, True, True, False]] * 2
    # One rank goes on from what both have counted.
    alone = TrainErrorWatch(HoldUntilTrainError(0.1, 80.0, window_steps=4), 10)
    alone.load(begun[0][1])
    assert alone.counts.scores().evaluated == 20
