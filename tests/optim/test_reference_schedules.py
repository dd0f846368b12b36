"""Our schedules beside those of the reference trainings: torchvision's, timm's, FFCV's and LARS's.

torchvision's reference training steps its schedules once an epoch; ours move at every update and agree with it at the
first update of each epoch. Where the reference can be stepped at every update, ours agree there.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    PolynomialLR,
    SequentialLR,
    StepLR,
)

from resnet_zoo.optim import (
    CosineSchedule,
    ExponentialSchedule,
    PolynomialSchedule,
    Position,
    Schedule,
    StepSchedule,
)

EPOCHS, WARMUP, STEPS_PER_EPOCH = 24, 5, 7
TOTAL = EPOCHS * STEPS_PER_EPOCH


def ours(schedule: Schedule, every: int = 1) -> list[float]:
    return [schedule.factor(Position(step, STEPS_PER_EPOCH, TOTAL)) for step in range(0, TOTAL, every)]


def torchs(steps: int, make: Any, warmup: int = 0) -> list[float]:
    """The rates of torch's scheduler, after torchvision's kind of warm-up, stepped so many times."""
    optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler: LRScheduler = make(optimizer)
    if warmup:
        linear = LinearLR(optimizer, start_factor=0.01, total_iters=warmup)
        scheduler = SequentialLR(optimizer, [linear, scheduler], milestones=[warmup])
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("schedule", "make"),
    [
        (
            # torchvision counts the step size from the end of the warm-up, ours from the start.
            StepSchedule(milestones=[WARMUP + 6, WARMUP + 12, WARMUP + 18], gamma=0.1, warmup_epochs=WARMUP),
            lambda optimizer: StepLR(optimizer, step_size=6, gamma=0.1),
        ),
        (
            CosineSchedule(final_factor=0.1, warmup_epochs=WARMUP),
            lambda optimizer: CosineAnnealingLR(optimizer, T_max=EPOCHS - WARMUP, eta_min=0.1),
        ),
        (
            ExponentialSchedule(gamma=0.97, warmup_epochs=WARMUP),
            lambda optimizer: ExponentialLR(optimizer, gamma=0.97),
        ),
    ],
    ids=["step", "cosine", "exponential"],
)
def test_torchvisions_training_has_the_same_rate_at_the_start_of_every_epoch(
    schedule: Schedule, make: Any
) -> None:
    assert ours(schedule, every=STEPS_PER_EPOCH) == pytest.approx(torchs(EPOCHS, make, WARMUP), abs=1e-9)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_a_polynomial_is_torchs_at_every_update(power: float) -> None:
    warmup = WARMUP * STEPS_PER_EPOCH
    reference = torchs(
        TOTAL, lambda optimizer: PolynomialLR(optimizer, TOTAL - warmup, power=power), warmup=warmup
    )
    assert ours(PolynomialSchedule(power, warmup_epochs=WARMUP)) == pytest.approx(reference, abs=1e-9)


def test_the_triangle_is_ffcvs_at_every_update() -> None:
    """Its training interpolates between (0, 1e-4), (2, 1) and (last epoch, 0), and within an epoch again."""
    of_epoch = np.interp(np.arange(EPOCHS + 1), [0, 2, EPOCHS], [1e-4, 1.0, 0.0])
    shares = np.arange(STEPS_PER_EPOCH) / STEPS_PER_EPOCH
    reference = [
        start + (end - start) * share for start, end in itertools.pairwise(of_epoch) for share in shares
    ]
    assert ours(PolynomialSchedule(warmup_epochs=2, warmup_start_factor=1e-4)) == pytest.approx(reference)


@pytest.mark.parametrize("prefix", [True, False])
def test_cosine_is_timms_at_every_update(prefix: bool) -> None:
    """timm's training with ``--sched-on-updates``; by default its warm-up covers the beginning of the cosine."""
    schedulers = pytest.importorskip(
        "timm.scheduler", reason="the comparison needs timm: pip install 'resnet-zoo[timm]'"
    )
    warmup = WARMUP * STEPS_PER_EPOCH
    optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = schedulers.CosineLRScheduler(
        optimizer,
        t_initial=TOTAL - warmup if prefix else TOTAL,
        lr_min=0.02,
        warmup_t=warmup,
        warmup_lr_init=0.001,
        warmup_prefix=prefix,
        t_in_epochs=False,
    )
    reference = []
    for step in range(TOTAL):
        scheduler.step_update(step)
        reference.append(optimizer.param_groups[0]["lr"])
    schedule = CosineSchedule(0.02, WARMUP, warmup_start_factor=0.001, warmup_takes_from_cosine=not prefix)
    assert ours(schedule) == pytest.approx(reference, abs=1e-9)


def test_the_cosine_of_pycls_begins_again_where_its_warm_up_ends() -> None:
    """Its ``get_epoch_lr``: a cosine over all epochs, times a rise from a tenth over the first of them."""

    def theirs(epoch: float) -> float:
        rise = min(0.1 + 0.9 * epoch / WARMUP, 1.0)
        return float(rise * 0.5 * (1.0 + np.cos(np.pi * epoch / EPOCHS)))

    schedule = CosineSchedule(warmup_epochs=WARMUP, warmup_start_factor=0.1, warmup_takes_from_cosine=True)
    found = ours(schedule)
    reference = [theirs(step / STEPS_PER_EPOCH) for step in range(TOTAL)]
    warm = WARMUP * STEPS_PER_EPOCH
    assert found[warm:] == pytest.approx(reference[warm:], abs=1e-9)
    assert found[:warm] == pytest.approx(reference[:warm], rel=0.11), "ours rises to the whole rate"
