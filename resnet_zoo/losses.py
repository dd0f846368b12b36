"""The loss of every image of a batch, with smoothed and mixed targets.

An image's target is its label, or, after MixUp or CutMix, its label and its partner's with a share each. Losses are
given per image; who sums them gives each image of an update the same weight.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from resnet_zoo.data.batch import Mixture
from resnet_zoo.errors import InvalidValue

Loss = Literal["cross_entropy", "binary_cross_entropy"]


class ImageLosses:
    """The loss that a training is to minimise, image by image.

    Args:
        loss: 'cross_entropy' or 'binary_cross_entropy'.
        label_smoothing: share of the target spread evenly over all classes, in [0, 1).
        target_threshold: for binary cross-entropy: targets above it become 1, all others 0; None keeps the shares.

    Raises:
        InvalidValue: a share out of range, or a threshold that the loss would not use.
    """

    def __init__(
        self,
        loss: Loss = "cross_entropy",
        label_smoothing: float = 0.0,
        target_threshold: float | None = None,
    ) -> None:
        if not 0.0 <= label_smoothing < 1.0:
            raise InvalidValue(f"label_smoothing={label_smoothing} is outside [0, 1).")
        if target_threshold is not None and loss != "binary_cross_entropy":
            raise InvalidValue(
                f"target_threshold={target_threshold:g} belongs to loss='binary_cross_entropy' and would have no "
                f"effect with {loss!r}. Leave it out, or change the loss."
            )
        if target_threshold is not None and not 0 < target_threshold < 1:
            raise InvalidValue(
                f"target_threshold={target_threshold:g} is not allowed. Use a share between 0 and 1, e.g. 0.2."
            )
        self.loss = loss
        self.label_smoothing = label_smoothing
        self.target_threshold = target_threshold

    def __call__(self, logits: Tensor, labels: Tensor, mix: Mixture | None = None) -> Tensor:
        """Float32 (b,), 0 at padding, of logits float32 (b, num_classes) and labels int64 (b,)."""
        if self.loss == "binary_cross_entropy":
            return binary_cross_entropies(logits, labels, mix, self.label_smoothing, self.target_threshold)
        return cross_entropies(logits, labels, mix, self.label_smoothing)


def cross_entropies(
    logits: Tensor, labels: Tensor, mix: Mixture | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """Cross-entropy with the labels, and with the partners' labels in proportion.

    Args:
        logits: float32 (b, num_classes).
        labels: int64 (b,); -1 marks padding.
        mix: partners' labels and shares, if the images were mixed.
        label_smoothing: share of the target spread evenly over all classes (Szegedy et al. 2015, arXiv:1512.00567,
            section 7).

    Returns:
        float32 (b,), 0 at padding.
    """

    def losses(targets: Tensor) -> Tensor:
        return functional.cross_entropy(
            logits, targets, ignore_index=-1, reduction="none", label_smoothing=label_smoothing
        )

    if mix is None:
        return losses(labels)
    return torch.lerp(losses(mix.labels), losses(labels), mix.weights)


def binary_cross_entropies(
    logits: Tensor,
    labels: Tensor,
    mix: Mixture | None = None,
    label_smoothing: float = 0.0,
    target_threshold: float | None = None,
) -> Tensor:
    """Binary cross-entropy of every class on its own, averaged over the classes (Wightman et al. 2021,
    arXiv:2110.00476, section 3).

    Args:
        logits: float32 (b, num_classes).
        labels: int64 (b,); -1 marks padding.
        mix: partners' labels and shares, if the images were mixed.
        label_smoothing: share of the target spread evenly over all classes, after the threshold: a class that is there
            has 1 - label_smoothing + label_smoothing / num_classes, every other one the last summand, as section 3
            orders the two. (timm's loss smooths first, and its threshold undoes it.)
        target_threshold: targets above it become 1 and all others 0, so that both classes of a mixed image are there
            in full; None keeps the shares.

    Returns:
        float32 (b,), 0 at padding.
    """
    targets = soft_targets(labels, logits.shape[1], mix).to(logits.dtype)
    if target_threshold is not None:
        targets = (targets > target_threshold).to(logits.dtype)
    targets = smoothed(targets, label_smoothing)
    losses = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(1)
    return losses.masked_fill(labels < 0, 0.0)


def soft_targets(
    labels: Tensor, num_classes: int, mix: Mixture | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """Share of every class in an image's target.

    Args:
        labels: int64 (b,); at -1 (padding) the row means nothing.
        num_classes: number of classes.
        mix: partners' labels and shares, if the images were mixed.
        label_smoothing: share of the target spread evenly over all classes.

    Returns:
        float32 (b, num_classes); rows add up to 1.
    """
    whole = torch.ones(len(labels), 1, device=labels.device)
    own = whole if mix is None else mix.weights.unsqueeze(1)
    targets = torch.zeros(len(labels), num_classes, device=labels.device)
    targets.scatter_add_(1, labels.clamp(min=0).unsqueeze(1), own)
    if mix is not None:
        targets.scatter_add_(1, mix.labels.clamp(min=0).unsqueeze(1), whole - own)
    return smoothed(targets, label_smoothing)


def smoothed(targets: Tensor, label_smoothing: float) -> Tensor:
    """Targets (b, num_classes) with a share of one class's whole spread evenly over all classes."""
    return targets * (1.0 - label_smoothing) + label_smoothing / targets.shape[1]
