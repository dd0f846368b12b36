"""Every schedule is pure, stepped per update, and equal at every step to torch's own where torch has one."""

from __future__ import annotations

import pytest
import torch
from jsonargparse import ArgumentParser
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    SequentialLR,
)

from resnet_zoo.errors import InvalidValue
from resnet_zoo.optim import (
    ConstantSchedule,
    CosineSchedule,
    ExponentialSchedule,
    HoldUntilTrainError,
    OneCycleSchedule,
    PolynomialSchedule,
    Position,
    Schedule,
    StepSchedule,
)

STEPS_PER_EPOCH = 13
EPOCHS = 20
TOTAL = STEPS_PER_EPOCH * EPOCHS
STEPS = range(TOTAL)


def optimizer() -> SGD:
    return SGD([nn.Parameter(torch.zeros(1))], lr=1.0)


def torch_curve(scheduler: LRScheduler) -> list[float]:
    """torch's learning rate of every update, its scheduler stepped after each."""
    rates = []
    for _ in STEPS:
        rates.append(scheduler.optimizer.param_groups[0]["lr"])
        scheduler.optimizer.step()
        scheduler.step()
    return rates


def curve(schedule: Schedule, released: bool = True) -> list[float]:
    return [schedule.factor(Position(step, STEPS_PER_EPOCH, TOTAL), released) for step in STEPS]


def test_position_counts_epochs_with_fractions() -> None:
    position = Position(step=20, steps_per_epoch=8, total_steps=40)
    assert (position.epoch, position.total_epochs) == (2.5, 5.0)


def test_step_schedule_is_torchs_multi_step() -> None:
    reference = torch_curve(MultiStepLR(optimizer(), [e * STEPS_PER_EPOCH for e in (6, 12, 16)], gamma=0.1))
    assert curve(StepSchedule(milestones=[6, 12, 16])) == pytest.approx(reference)
    in_steps = StepSchedule(milestone_steps=[e * STEPS_PER_EPOCH for e in (6, 12, 16)])
    assert curve(in_steps) == pytest.approx(reference)


def test_step_schedule_takes_fractions_of_an_epoch() -> None:
    reference = torch_curve(MultiStepLR(optimizer(), [7, 33], gamma=0.2))
    assert curve(StepSchedule(milestones=[0.5, 2.5], gamma=0.2)) == pytest.approx(reference)


def test_an_inexact_product_does_not_delay_a_milestone() -> None:
    # 0.1 * 3 is 0.30000000000000004 in floating point; times 10 updates it must still be update 3.
    assert StepSchedule(milestones=[0.1 * 3]).steps_of_milestones(10) == [3]


def test_the_papers_cifar_schedule() -> None:
    schedule = StepSchedule(milestone_steps=[32_000, 48_000])
    factors = {
        step: schedule.factor(Position(step, 391, 64_000)) for step in (0, 31_999, 32_000, 47_999, 48_000)
    }
    assert factors == pytest.approx({0: 1.0, 31_999: 1.0, 32_000: 0.1, 47_999: 0.1, 48_000: 0.01})


def test_warmup_is_torchs_linear_one() -> None:
    reference = torch_curve(LinearLR(optimizer(), start_factor=0.25, total_iters=3 * STEPS_PER_EPOCH))
    assert curve(ConstantSchedule(warmup_epochs=3, warmup_start_factor=0.25)) == pytest.approx(reference)
    in_steps = ConstantSchedule(warmup_steps=3 * STEPS_PER_EPOCH, warmup_start_factor=0.25)
    assert curve(in_steps) == pytest.approx(reference)


def test_step_schedule_counts_milestones_from_the_start_and_not_from_the_warmups_end() -> None:
    warm = torch_curve(LinearLR(optimizer(), start_factor=0.01, total_iters=5 * STEPS_PER_EPOCH))
    steps = torch_curve(MultiStepLR(optimizer(), [6 * STEPS_PER_EPOCH, 12 * STEPS_PER_EPOCH], gamma=0.1))
    reference = [a * b for a, b in zip(warm, steps, strict=True)]
    assert curve(StepSchedule(milestones=[6, 12], warmup_epochs=5)) == pytest.approx(reference)


def test_cosine_is_torchs() -> None:
    reference = torch_curve(CosineAnnealingLR(optimizer(), T_max=TOTAL, eta_min=0.05))
    assert curve(CosineSchedule(final_factor=0.05)) == pytest.approx(reference)


def test_cosine_after_a_warmup_is_torchs_sequence() -> None:
    sgd = optimizer()
    warmup = 5 * STEPS_PER_EPOCH
    parts: list[LRScheduler] = [
        LinearLR(sgd, start_factor=0.01, total_iters=warmup),
        CosineAnnealingLR(sgd, T_max=TOTAL - warmup),
    ]
    reference = torch_curve(SequentialLR(sgd, parts, milestones=[warmup]))
    assert curve(CosineSchedule(warmup_epochs=5)) == pytest.approx(reference, abs=1e-9)


def test_one_cycle_is_a_cosine_whose_warmup_is_a_share_of_the_training() -> None:
    assert curve(OneCycleSchedule(warmup_fraction=0.25)) == pytest.approx(
        curve(CosineSchedule(warmup_epochs=5))
    )
    factors = curve(OneCycleSchedule())
    assert max(factors) == factors[TOTAL // 4] == 1.0
    assert factors[0] == pytest.approx(0.01)
    assert factors[-1] < 0.001


def test_constant_is_torchs() -> None:
    reference = torch_curve(ConstantLR(optimizer(), factor=1.0))
    assert curve(ConstantSchedule()) == pytest.approx(reference)


def test_a_hold_lasts_until_it_is_released_and_no_longer() -> None:
    """The mistake to avoid: a rate that was lowered once and then kept for a hundred epochs."""
    schedule = StepSchedule(milestones=[10], hold=HoldUntilTrainError())
    assert schedule.hold is not None
    free, held = curve(schedule), curve(schedule, released=False)
    assert held == pytest.approx([0.1 * factor for factor in free])
    assert free == curve(StepSchedule(milestones=[10]))
    assert [schedule.hold.is_released_by(error) for error in (90.0, 80.0, 79.9, float("nan"))] == [
        False,
        False,
        True,
        False,
    ]


def test_a_schedule_without_a_hold_does_not_care_about_release() -> None:
    assert curve(ConstantSchedule(), released=False) == curve(ConstantSchedule())


@pytest.mark.parametrize(
    "schedule",
    [
        StepSchedule(milestones=[3, 9], warmup_epochs=2),
        CosineSchedule(warmup_steps=7),
        OneCycleSchedule(),
        ConstantSchedule(warmup_epochs=0.5),
        PolynomialSchedule(power=2, warmup_epochs=2),
        ExponentialSchedule(0.9, warmup_epochs=2),
        CosineSchedule(warmup_epochs=2, warmup_takes_from_cosine=True),
    ],
)
def test_a_schedule_is_pure_so_any_position_can_be_asked_for_in_any_order(schedule: Schedule) -> None:
    forwards = curve(schedule)
    backwards = [schedule.factor(Position(step, STEPS_PER_EPOCH, TOTAL)) for step in reversed(STEPS)]
    assert forwards == backwards[::-1]
    assert all(0.0 <= factor <= 1.0 for factor in forwards)


@pytest.mark.parametrize(
    "schedule",
    [
        CosineSchedule(warmup_epochs=50),
        OneCycleSchedule(),
        StepSchedule([99.0]),
        PolynomialSchedule(0.5, warmup_epochs=50),
        ExponentialSchedule(0.5),
    ],
)
def test_beyond_its_end_and_in_a_training_shorter_than_its_warmup_a_schedule_stays_defined(
    schedule: Schedule,
) -> None:
    for total in (1, 2, TOTAL):
        for step in (0, total - 1, total, 10 * total):
            assert 0.0 <= schedule.factor(Position(step, STEPS_PER_EPOCH, total)) <= 1.0


def test_remarks_name_what_the_training_does_not_reach() -> None:
    position = Position(0, STEPS_PER_EPOCH, TOTAL)
    assert StepSchedule(milestones=[3, 9]).remarks(position) == []
    assert CosineSchedule(warmup_epochs=3).remarks(position) == []
    [beyond] = StepSchedule(milestones=[3, 30]).remarks(position)
    assert beyond == "milestones at update 390 lie beyond the 260 updates of this training"
    [warmup] = CosineSchedule(warmup_epochs=30).remarks(position)
    assert warmup == "the warm-up of 390 updates does not end within the 260 updates of this training"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (StepSchedule, "needs milestones"),
        (lambda: StepSchedule(milestones=[]), "needs milestones"),
        (lambda: StepSchedule([1], [1]), "both given"),
        (lambda: StepSchedule([30, 30]), r"milestones=\[30, 30\] does not increase"),
        (lambda: StepSchedule(milestone_steps=[2, 1]), r"milestone_steps=\[2, 1\] does not increase"),
        (lambda: StepSchedule([0, 1]), "not positive"),
        (lambda: StepSchedule([1], gamma=0), "gamma=0 is not allowed"),
        (lambda: StepSchedule([1], gamma=10), "gamma=10 is not allowed"),
        (lambda: CosineSchedule(final_factor=1.5), "final_factor=1.5 is not allowed"),
        (lambda: CosineSchedule(warmup_epochs=-1), "warmup_epochs=-1 is negative"),
        (lambda: CosineSchedule(warmup_steps=-1), "warmup_steps=-1 is negative"),
        (lambda: CosineSchedule(warmup_epochs=1, warmup_steps=10), "Give only one"),
        (lambda: ConstantSchedule(warmup_start_factor=0), "warmup_start_factor=0 is not allowed"),
        (lambda: OneCycleSchedule(warmup_fraction=1), "warmup_fraction=1 is not allowed"),
        (lambda: HoldUntilTrainError(hold_factor=1), "hold_factor=1 is not allowed"),
        (lambda: HoldUntilTrainError(train_error=0), "train_error=0 is not allowed"),
        (lambda: HoldUntilTrainError(window_steps=0), "window_steps=0 is not allowed"),
        (lambda: PolynomialSchedule(power=0), "power=0 is not allowed"),
        (lambda: PolynomialSchedule(final_factor=-1), "final_factor=-1 is not allowed"),
        (lambda: ExponentialSchedule(gamma=1.1), "gamma=1.1 is not allowed"),
    ],
)
def test_a_wrong_value_is_refused_at_construction(build: object, message: str) -> None:
    assert callable(build)
    with pytest.raises(InvalidValue, match=message):
        build()


def test_schedules_are_built_from_a_config() -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--schedule", type=Schedule)
    config = parser.parse_object(
        {
            "schedule": {
                "class_path": "resnet_zoo.optim.StepSchedule",
                "init_args": {"milestone_steps": [32000, 48000], "hold": {"train_error": 75}},
            }
        }
    )
    schedule = parser.instantiate(config).schedule
    assert isinstance(schedule, StepSchedule)
    assert schedule.hold == HoldUntilTrainError(hold_factor=0.1, train_error=75)


def test_a_lambda_scheduler_stepped_per_update_gives_the_same_curve() -> None:
    schedule = CosineSchedule(warmup_epochs=2)
    stepped = LambdaLR(optimizer(), lambda step: schedule.factor(Position(step, STEPS_PER_EPOCH, TOTAL)))
    assert torch_curve(stepped) == pytest.approx(curve(schedule))
