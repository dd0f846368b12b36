"""The optimizers for large batches, timm's, do what their papers say; and the linear scaling rule of Goyal et al."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from resnet_zoo.model import create_model
from resnet_zoo.optim import Position, StepSchedule, scaled_learning_rate, split_parameters

NEEDS_TIMM = "needs timm, an optional dependency: pip install 'resnet-zoo[timm]'"
CURVATURE = np.array([1.0, 4.0, 0.25])
START = np.array([1.0, -2.0, 3.0])
Array = np.ndarray[Any, np.dtype[np.float64]]


def lamb(steps: int, lr: float, decay: float) -> Array:
    """You et al. 2019, arXiv:1904.00962, algorithm 2, on the quadratic sum(c x^2) / 2."""
    x, m, v = START.copy(), np.zeros(3), np.zeros(3)
    for step in range(1, steps + 1):
        gradient = CURVATURE * x
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        ratio = (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-6)
        update = ratio + decay * x
        trust = np.linalg.norm(x) / np.linalg.norm(update) if decay else 1.0
        x = x - lr * trust * update
    return x


def lars(steps: int, lr: float, decay: float) -> Array:
    """You et al. 2017, arXiv:1708.03888, algorithm 1, with the momentum of torch's SGD."""
    x, momentum = START.copy(), np.zeros(3)
    for _ in range(steps):
        gradient = CURVATURE * x
        norm = np.linalg.norm(x)
        trust = 0.001 * norm / (np.linalg.norm(gradient) + decay * norm) if decay else 1.0
        momentum = 0.9 * momentum + trust * (gradient + decay * x)
        x = x - lr * momentum
    return x


@pytest.mark.parametrize("decay", [0.02, 0.0])
@pytest.mark.parametrize(
    ("name", "formula", "lr", "arguments"),
    [("Lamb", lamb, 0.05, {"max_grad_norm": None}), ("Lars", lars, 0.5, {"momentum": 0.9})],
)
def test_a_quadratic(
    name: str,
    formula: Callable[[int, float, float], Array],
    lr: float,
    arguments: dict[str, Any],
    decay: float,
) -> None:
    optimizers = pytest.importorskip("timm.optim", reason=NEEDS_TIMM)
    x = nn.Parameter(torch.tensor(START))
    lr = lr if decay else lr / 100
    optimizer = getattr(optimizers, name)([x], lr=lr, weight_decay=decay, **arguments)
    for _ in range(20):
        optimizer.zero_grad()
        (torch.tensor(CURVATURE) * x**2).sum().div(2).backward()
        optimizer.step()
    np.testing.assert_allclose(x.detach().numpy(), formula(20, lr, decay), rtol=1e-6)
    assert CURVATURE @ x.detach().numpy() ** 2 < CURVATURE @ START**2


def test_lamb_takes_our_groups_and_adapts_only_what_is_decayed() -> None:
    optimizers = pytest.importorskip("timm.optim", reason=NEEDS_TIMM)
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    groups = [{k: v for k, v in g.items() if k != "names"} for g in split_parameters(model, False)]
    optimizer = optimizers.Lamb(groups, lr=5e-3, weight_decay=0.02)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.02, 0.0]
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 1e-3)  # so small that the global norm is not clipped
    weight, shift = model[0].weight.detach().clone(), model[1].bias.detach().clone()
    optimizer.step()
    step = (model[0].weight.detach() - weight).norm() / weight.norm()
    assert step.item() == pytest.approx(5e-3, rel=1e-4), (
        "the trust ratio makes the step a share of the weights"
    )
    # Adam's first step is the learning rate itself, but for epsilon beside a gradient of a thousandth.
    torch.testing.assert_close(shift - model[1].bias.detach(), torch.full((4,), 5e-3), rtol=2e-3, atol=0)


def test_goyals_recipe_for_8192_images() -> None:
    """Goyal et al. 2017, arXiv:1706.02677, section 2: 0.1 x 8192/256 = 3.2 after five epochs that begin at 0.1."""
    rate, _ = scaled_learning_rate(0.1, "linear", 8192, 256)
    schedule = StepSchedule(milestones=[30, 60, 80], warmup_epochs=5, warmup_start_factor=256 / 8192)
    per_epoch = 157
    rates = [
        rate * schedule.factor(Position(epoch * per_epoch, per_epoch, 90 * per_epoch)) for epoch in range(90)
    ]
    assert rates[:6] == pytest.approx([0.1 + (3.2 - 0.1) * epoch / 5 for epoch in range(6)])
    assert [rates[epoch] for epoch in (29, 30, 60, 80)] == pytest.approx([3.2, 0.32, 0.032, 0.0032])


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "vgg11_bn", "preact_resnet110_cifar"])
def test_groups_are_timms_and_torchvisions(name: str) -> None:
    """timm leaves out what has one dimension and every bias; torchvision's reference training, norms and biases."""
    optimizers = pytest.importorskip("timm.optim", reason=NEEDS_TIMM)
    with torch.device("meta"):
        model = create_model(name, num_classes=10)
    by_id = {id(parameter): key for key, parameter in model.named_parameters()}
    theirs: dict[float, set[str]] = {}
    for group in optimizers.param_groups_weight_decay(model, weight_decay=0.1):
        theirs[group["weight_decay"]] = {by_id[id(parameter)] for parameter in group["params"]}
    decayed, undecayed = split_parameters(model, decay_norm_and_bias=False)
    assert set(decayed["names"]) == theirs[0.1]
    assert set(undecayed["names"]) == theirs[0.0]
    if name.startswith("resnet"):
        assert {f"backbone.stages.1.0.shortcut.norm.{kind}" for kind in ("weight", "bias")} <= theirs[0.0]
