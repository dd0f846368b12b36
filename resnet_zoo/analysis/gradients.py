"""How large the gradient of each layer's weights is: what a deep network hears of its own errors.

With L layers the gradient of the first is a product of L factors. If they are mostly below one it vanishes, above one
it explodes (Bengio et al. 1994; Glorot & Bengio 2010; He et al. 2015, arXiv:1512.03385, section 1).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from resnet_zoo.analysis.layers import Part, weighted_layers


@dataclass(frozen=True)
class LayerGradient:
    """The gradient of one layer's weights for one batch.

    Attributes:
        layer: the layer's name in ``model.named_modules()``.
        part: where the layer is, see ``layers.Part``.
        gradient_norm: Frobenius norm of the gradient of the mean cross-entropy.
        weight_norm: Frobenius norm of the weights.
    """

    layer: str
    part: Part
    gradient_norm: float
    weight_norm: float


def gradient_norms(
    model: nn.Module, images: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"]
) -> list[LayerGradient]:
    """Norms of the weights' gradients for one batch, in training mode; the model stays as it is.

    Args:
        model: images to logits.
        images: a batch as the model gets it in training, on the model's device.
        labels: class of each image.
    """
    return gradients_over_updates(model, [(images, labels)], learning_rate=0.0)[0]


def gradients_over_updates(
    model: nn.Module, batches: Sequence[tuple[Tensor, Tensor]], learning_rate: float
) -> list[list[LayerGradient]]:
    """The norms before each of several updates by gradient descent, made on a copy of the model.

    Args:
        model: images to logits; it stays as it is.
        batches: images (b, c, h, w) and labels (b,) of each update.
        learning_rate: factor of the gradient; no momentum, no decay.

    Returns:
        For each batch, the norms with which it was met.
    """
    probe = copy.deepcopy(model).train()
    parameters = list(probe.parameters())
    seen = []
    # What dropout draws is not the caller's business.
    with torch.random.fork_rng(), torch.enable_grad():
        for images, labels in batches:
            probe.zero_grad(set_to_none=True)
            functional.cross_entropy(probe(images), labels).backward()  # type: ignore[no-untyped-call]
            seen.append([_measure(layer.name, layer.part, layer.module) for layer in weighted_layers(probe)])
            with torch.no_grad():
                for parameter in parameters:
                    if parameter.grad is not None and learning_rate:
                        parameter.sub_(parameter.grad, alpha=learning_rate)
    return seen


def _measure(name: str, part: Part, module: nn.Module) -> LayerGradient:
    weight = module.weight
    assert isinstance(weight, Tensor)
    gradient = weight.grad
    # Squares of what float32 can hold may be too small for float32.
    norm = 0.0 if gradient is None else float(gradient.double().norm())
    return LayerGradient(name, part, norm, float(weight.detach().double().norm()))


def first_to_last_ratio(norms: Sequence[float]) -> float:
    """Norm of the first layer's gradient divided by that of the last.

    Far below one the gradient vanishes on its way towards the input, far above one it explodes. NaN where the last
    layer has no gradient at all.

    Args:
        norms: from the first layer to the last, see ``main_norms``.
    """
    return norms[0] / norms[-1] if norms[-1] > 0 else math.nan


def main_norms(gradients: Sequence[LayerGradient]) -> list[float]:
    """The norms of the layers between images and features, from the input on."""
    return [gradient.gradient_norm for gradient in gradients if gradient.part == "main"]
