"""Averages over passes: means of probabilities, of the same images in every pass."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from resnet_zoo.cli.averaging import AveragedPredictions
from resnet_zoo.ledger import InexactEvaluation
from resnet_zoo.metrics import topk_hits

IMAGES, CLASSES = 10, 6
LABELS = torch.arange(IMAGES) % CLASSES
ROUNDING = 2.0**-29
"""Of a loss that is counted: half of the unit that ``resnet_zoo.metrics`` adds losses in."""


def _logits(seed: int, scale: float = 3.0) -> torch.Tensor:
    return scale * torch.randn(IMAGES, CLASSES, generator=torch.Generator().manual_seed(seed))


def _average(*passes: torch.Tensor) -> AveragedPredictions:
    averaged = AveragedPredictions(IMAGES, CLASSES)
    for logits in passes:
        averaged.begin_pass()
        for batch in torch.randperm(IMAGES).split(4):
            padded = torch.cat([batch, torch.tensor([-1])])
            averaged.add(padded, torch.cat([LABELS[batch], torch.tensor([-1])]), logits[padded])
    return averaged


def test_one_pass_scores_as_its_logits_do() -> None:
    logits = _logits(0)
    scores = _average(logits).scores("test")
    hits1, hits5 = topk_hits(logits, LABELS)
    assert (scores.correct1, scores.correct5, scores.evaluated) == (int(hits1), int(hits5), IMAGES)
    assert scores.loss == pytest.approx(float(cross_entropy(logits.double(), LABELS)), abs=ROUNDING)


def test_the_mean_is_one_of_probabilities() -> None:
    first, second = _logits(0), _logits(1)
    mean = (first.double().softmax(1) + second.double().softmax(1)) / 2
    scores = _average(first, second).scores("test")
    assert scores.loss == pytest.approx(float(-mean.gather(1, LABELS[:, None]).log().mean()), abs=ROUNDING)
    assert scores.correct1 == int((mean.argmax(1) == LABELS).sum())
    assert scores.loss != pytest.approx(float(cross_entropy((first + second) / 2, LABELS)), abs=1e-3)


def test_a_pass_with_itself_changes_nothing() -> None:
    once, twice = _average(_logits(0)).scores("test"), _average(_logits(0), _logits(0)).scores("test")
    assert (once.correct1, once.correct5) == (twice.correct1, twice.correct5)
    assert once.loss == pytest.approx(twice.loss, abs=ROUNDING)


def test_improbable_classes_are_not_lost() -> None:
    logits = _logits(0)
    logits[0, LABELS[0]] -= 1000.0
    assert math.isfinite(_average(logits, logits).scores("test").loss)


def test_an_image_that_one_pass_missed_is_an_error() -> None:
    averaged = _average(_logits(0), _logits(1))
    averaged.begin_pass()
    averaged.add(torch.arange(9), LABELS[:9], _logits(2)[:9])
    with pytest.raises(InexactEvaluation, match="the scores are of 9"):
        averaged.scores("test")


def test_an_image_seen_twice_in_a_pass_is_an_error() -> None:
    averaged = AveragedPredictions(2, CLASSES)
    averaged.begin_pass()
    averaged.add(torch.tensor([0, 1, 1]), LABELS[:3], _logits(0)[:3])
    with pytest.raises(InexactEvaluation, match="the scores are of 1"):
        averaged.scores("test")


def test_only_some_of_the_batches_are_scored_if_that_was_asked_for() -> None:
    averaged = AveragedPredictions(IMAGES, CLASSES, world_size=2)  # rank 1 of 2 has the odd ones
    averaged.begin_pass()
    averaged.add(torch.tensor([1, 5, 9]), LABELS[[1, 5, 9]], _logits(0)[[1, 5, 9]])
    assert averaged.scores("test", complete=False).evaluated == 3
