"""Losses of smoothed and mixed targets: the reference's numbers, nothing from padding, the same weight for all."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from resnet_zoo.classifier import ImageClassifier
from resnet_zoo.data.batch import ImageBatch, Mixture
from resnet_zoo.errors import InvalidValue
from resnet_zoo.losses import binary_cross_entropies, cross_entropies, soft_targets
from tests.small_nets import convolutional

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(16, 7, generator=GENERATOR)
LABELS = torch.randint(0, 7, (16,), generator=GENERATOR)
MIX = Mixture(torch.randint(0, 7, (16,), generator=GENERATOR), torch.rand(16, generator=GENERATOR))


def one_hot(labels: torch.Tensor, smoothing: float) -> torch.Tensor:
    return functional.one_hot(labels, 7) * (1 - smoothing) + smoothing / 7


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("mix", [None, MIX])
def test_cross_entropy_is_that_of_soft_targets(mix: Mixture | None, smoothing: float) -> None:
    targets = one_hot(LABELS, smoothing)
    if mix is not None:
        share = mix.weights.unsqueeze(1)
        targets = share * targets + (1 - share) * one_hot(mix.labels, smoothing)
    torch.testing.assert_close(soft_targets(LABELS, 7, mix, smoothing), targets)
    found = cross_entropies(LOGITS, LABELS, mix, smoothing)
    torch.testing.assert_close(found, functional.cross_entropy(LOGITS, targets, reduction="none"))


@pytest.mark.parametrize(("smoothing", "threshold"), [(0.1, None), (0.0, 0.2)])
@pytest.mark.parametrize("mix", [None, MIX])
def test_binary_cross_entropy_equals_torch_and_timm(
    mix: Mixture | None, smoothing: float, threshold: float | None
) -> None:
    targets = soft_targets(LABELS, 7, mix, smoothing)
    found = binary_cross_entropies(LOGITS, LABELS, mix, smoothing, threshold).mean()
    expected = targets if threshold is None else (targets > threshold).float()
    torch.testing.assert_close(found, functional.binary_cross_entropy_with_logits(LOGITS, expected))
    timm = pytest.importorskip("timm.loss", reason="needs timm to compare with")
    theirs = timm.BinaryCrossEntropy(smoothing=smoothing, target_threshold=threshold)
    torch.testing.assert_close(found, theirs(LOGITS, LABELS if mix is None else targets))


def test_a_threshold_does_not_undo_label_smoothing() -> None:
    """Every class of a mixed image gets 1 - 0.1 and its part of the tenth that all classes share."""
    mix = Mixture(torch.tensor([1]), torch.tensor([0.7]))
    logits = torch.randn(1, 4)
    expected = torch.tensor([[0.925, 0.925, 0.025, 0.025]])
    losses = functional.binary_cross_entropy_with_logits(logits, expected, reduction="none").mean(1)
    torch.testing.assert_close(binary_cross_entropies(logits, torch.tensor([0]), mix, 0.1, 0.2), losses)


def test_a_threshold_puts_both_classes_of_a_mixed_image_there_in_full() -> None:
    mix = Mixture(torch.tensor([1, 1]), torch.tensor([0.7, 0.9]))
    labels, logits = torch.tensor([0, 0]), torch.randn(2, 3)
    present = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    expected = functional.binary_cross_entropy_with_logits(logits, present, reduction="none").mean(1)
    torch.testing.assert_close(binary_cross_entropies(logits, labels, mix, 0.0, 0.2), expected)


@pytest.mark.parametrize("mix", [None, Mixture(torch.tensor([2, -1, 0]), torch.tensor([0.4, 0.8, 1.0]))])
@pytest.mark.parametrize("losses", [cross_entropies, binary_cross_entropies])
def test_padding_loses_nothing_and_teaches_nothing(losses: type, mix: Mixture | None) -> None:
    logits = torch.randn(3, 4, requires_grad=True)
    found = losses(logits, torch.tensor([1, -1, 0]), mix, 0.1)
    assert found[1] == 0
    found.sum().backward()
    assert logits.grad is not None
    assert bool((logits.grad[1] == 0).all())
    assert bool((logits.grad[0] != 0).any())


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_the_classifier_gives_each_image_of_an_update_its_weight(loss: str) -> None:
    model = ImageClassifier(convolutional(), 7, loss=loss, label_smoothing=0.1)  # type: ignore[arg-type]
    model._loss_scale = 4.0
    labels = torch.tensor([1, 2, -1])
    mix = Mixture(torch.tensor([2, 1, -1]), torch.tensor([0.3, 0.5, 0.9]))
    batch = ImageBatch(torch.randn(3, 3, 8, 8), labels, torch.arange(3), torch.arange(3), 10, mix=mix)
    losses = (cross_entropies if loss == "cross_entropy" else binary_cross_entropies)(
        model(batch.images), labels, mix, 0.1
    )
    torch.testing.assert_close(model.training_step(batch, 0), losses[:2].sum() * 4 / 10)
    scores = model.train_counts.scores()
    predicted = model(batch.images)[:2].argmax(1)
    # the first image is mostly its partner, the second as much itself as its partner
    assert (scores.evaluated, scores.correct1) == (2, int((predicted == torch.tensor([2, 2])).sum()))
    assert scores.loss == pytest.approx(float(losses[:2].mean().detach()))


def test_a_threshold_that_would_have_no_effect_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"target_threshold=0.2 belongs to loss='binary_cross_entropy'"):
        ImageClassifier(convolutional(), 7, target_threshold=0.2)
    with pytest.raises(InvalidValue, match=r"target_threshold=1 is not allowed"):
        ImageClassifier(convolutional(), 7, loss="binary_cross_entropy", target_threshold=1.0)
