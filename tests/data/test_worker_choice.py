"""The number of workers, with its reason and what one of them does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from resnet_zoo.data import ImageFolder, Synthetic, fetching_speed
from resnet_zoo.data.order import TrainingOrder
from resnet_zoo.data.unreadable import UnreadableImage
from resnet_zoo.data.worker_choice import (
    TRIAL_IMAGES,
    TRIAL_SECONDS,
    WorkerChoice,
    speed_of_one,
    worker_choice,
)


def folder_of(root: Path, num_workers: int | None = None) -> ImageFolder:
    """Twelve pictures."""
    return ImageFolder(root=str(root), global_batch_size=4, image_size=16, num_workers=num_workers)


def test_the_cores_choose_and_one_worker_is_measured(
    make_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resnet_zoo.data.surroundings.available_cores", lambda: 3)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    choice = worker_choice(folder_of(make_folder()))
    assert choice is not None
    assert choice[:3] == (3, 3, 1)
    assert choice.images_per_second is not None
    assert choice.images_per_second > 0
    assert torch.equal(torch.get_rng_state(), state)  # nothing of the training has moved
    assert torch.get_num_threads() == threads


def test_nothing_is_said_where_nothing_was_chosen(make_folder: Callable[..., Path]) -> None:
    assert worker_choice(folder_of(make_folder(), num_workers=1)) is None
    assert worker_choice(Synthetic(image_size=8, num_train=8, global_batch_size=4)) is None


class Clock:
    """A time that passes only where somebody says so."""

    now = 100.0

    def perf_counter(self) -> float:
        """In place of the one in ``time``."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which the speed is measured."""
    made = Clock()
    monkeypatch.setattr(fetching_speed, "time", made)
    return made


class Counted:
    """A source that takes its time, and cannot read one image."""

    labels = torch.zeros(1000, dtype=torch.int64)
    index = None

    def __init__(self, clock: Clock, seconds: float, unreadable: int | None = None) -> None:
        self.clock, self.seconds, self.unreadable = clock, seconds, unreadable
        self.asked: list[int] = []

    def fetch(self, positions: Tensor, seeds: Tensor | None) -> Tensor:
        """A blank image."""
        self.asked += positions.tolist()
        if len(self.asked) == self.unreadable:
            raise UnreadableImage("broken.jpg", "damaged")
        self.clock.now += self.seconds
        return torch.zeros(1, 3, 4, 4, dtype=torch.uint8)


PLAN = TrainingOrder(1000, 100, seed=0).plan(0)


def test_the_measurement_reads_the_images_that_come_first_and_is_short(clock: Clock) -> None:
    quick = Counted(clock, TRIAL_SECONDS / (2 * TRIAL_IMAGES))
    assert speed_of_one(quick, PLAN) == pytest.approx(2 * TRIAL_IMAGES / TRIAL_SECONDS)
    assert quick.asked == PLAN.sources[: TRIAL_IMAGES + 1].tolist()
    slow = Counted(clock, 0.4 * TRIAL_SECONDS)
    assert speed_of_one(slow, PLAN) == pytest.approx(2.5 / TRIAL_SECONDS)
    assert len(slow.asked) == 1 + 3  # the first is not counted, and the time is over after the third


def test_a_broken_image_is_left_to_the_training(clock: Clock) -> None:
    source = Counted(clock, 0.25 * TRIAL_SECONDS, unreadable=3)
    # Of those that were asked for after the first, one was none, and took no time here.
    assert speed_of_one(source, PLAN) == pytest.approx(4 / TRIAL_SECONDS)
    single = PLAN._replace(sources=PLAN.sources[:1])
    assert speed_of_one(Counted(clock, 0.0), single) is None


def test_the_line_has_the_reason_the_speed_and_the_need() -> None:
    assert WorkerChoice(3, 3, 8, 400.0).line(last_speed=1234.5) == (
        "data workers: 3 on each of 8 ranks, as many as the cores of a rank; one makes 400 images/s here, all of them "
        "up to 9,600; the training took 1,234 when last measured (data.num_workers sets another number)"
    )
    most = WorkerChoice(16, 64, 1, None).line()
    assert "the most that are taken unasked, with 64 cores a rank (" in most
