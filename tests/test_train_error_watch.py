"""A hold ends after the first window of updates whose training error is low enough, and for good."""

from __future__ import annotations

import torch

from resnet_zoo.optim import HoldUntilTrainError
from resnet_zoo.train_error_watch import TrainErrorWatch

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
