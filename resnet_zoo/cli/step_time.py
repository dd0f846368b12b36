"""How long a training will take, from a few steps of it on this device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from resnet_zoo.classifier import ImageClassifier
from resnet_zoo.cli.timing.rounds import seconds_of
from resnet_zoo.cores import available_cores

LONG_ENOUGH = 0.4
"""Seconds of a step from which on its time is that of its images, and no more of them are tried."""
ROUNDS = 3


@dataclass(frozen=True)
class StepTime:
    """Speed of training steps on images that are on the device already: forward, backward, optimizer.

    Attributes:
        images_per_second: median over the rounds.
        images: in a step.
        device: in words.
    """

    images_per_second: float
    images: int
    device: str


def measure_step(
    model: ImageClassifier,
    image_size: int,
    most_images: int,
    precision: str,
    clock: Callable[[], float] = time.perf_counter,
) -> StepTime:
    """Time training steps of a growing number of images until they take long enough; changes the model's weights.

    Args:
        model: on the CPU; taken to the GPU if there is one.
        image_size: side of the images in pixels.
        most_images: images that one device has at a time in the training itself.
        precision: of the trainer; one that mixes is run under autocast.
        clock: in seconds; ``time.process_time`` on a CPU that others use, too.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    step = _training_step(model.to(device).train(), device, str(precision))
    images = min(2, most_images)
    while True:
        batch = torch.randn(images, 3, image_size, image_size, device=device)
        labels = torch.arange(images, device=device) % model.num_classes
        work = partial(step, batch, labels)
        work()  # memory and algorithms for this shape
        seconds = seconds_of(work, device, clock)
        if seconds >= LONG_ENOUGH or images >= most_images:
            break
        images = min(images * 2, most_images)
    rounds = [seconds, *(seconds_of(work, device, clock) for _ in range(ROUNDS - 1))]
    return StepTime(images / statistics.median(rounds), images, _in_words(device))


def _training_step(
    model: ImageClassifier, device: torch.device, precision: str
) -> Callable[[torch.Tensor, torch.Tensor], Any]:
    optimizer = model.configure_optimizers()
    mixed = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(precision)

    def step(batch: torch.Tensor, labels: torch.Tensor) -> None:
        with torch.autocast(device.type, mixed) if mixed else nullcontext():
            logits = model(batch)
        cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()

    return step


def _in_words(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"this machine's CPU ({torch.get_num_threads()} of {available_cores()} cores)"
