"""A scheduler's signal to every process of a job does not take the data workers from a training that is saving."""

from __future__ import annotations

import os
import signal
from itertools import pairwise
from typing import Any

import pytest
import torch

from resnet_zoo.data import workers
from resnet_zoo.data.loaders import ImageLoader
from resnet_zoo.data.order import TrainingOrder
from resnet_zoo.data.sources import ResidentImages


def _children(parent: int) -> list[int]:
    with open(f"/proc/{parent}/task/{parent}/children") as file:  # noqa: PTH123 - not a file of ours
        return [int(word) for word in file.read().split()]


def loader() -> ImageLoader:
    images = torch.arange(16 * 4 * 4 * 3).reshape(16, 4, 4, 3).to(torch.uint8)
    order = TrainingOrder(
        num_samples=16, global_batch_size=2, seed=0, rank=0, world_size=1, accumulation=1, drop_last=False
    )
    return ImageLoader(ResidentImages(images, torch.arange(16) % 4), order, num_workers=2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_workers_go_on_after_a_signal(number: signal.Signals) -> None:
    before = set(_children(os.getpid()))
    made = loader()
    batches = iter(made)
    for _ in range(2):  # one from each worker: by then each of them has begun
        next(batches)
    started = set(_children(os.getpid())) - before
    assert len(started) >= 2
    for process in started:
        if _is_a_worker(process):
            os.kill(process, number)
    rest: list[Any] = list(batches)
    assert len(rest) == 6
    assert all(first.update_size == second.update_size for first, second in pairwise(rest))
    made.close()


def _is_a_worker(process: int) -> bool:
    with open(f"/proc/{process}/cmdline", "rb") as file:  # noqa: PTH123
        return b"resource_tracker" not in file.read()


def test_a_worker_that_was_told_to_end_does_so_in_time() -> None:
    assert 5 < workers.GRACE_SECONDS < 30
