"""What a model takes on this machine's devices, beside what the data can deliver."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch

from resnet_zoo.classifier import ImageClassifier
from resnet_zoo.cli.step_time import StepTime, measure_step
from resnet_zoo.data.doctor.speed import ReadingSpeed
from resnet_zoo.model import create_backbone

MOST_IMAGES = 256


@dataclass(frozen=True)
class Need:
    """What training a model takes.

    Attributes:
        backbone: its name.
        image_size: in pixels.
        precision: of the steps.
        devices: that train at the same time.
        step: the speed of one of them.
    """

    backbone: str
    image_size: int
    precision: str
    devices: int
    step: StepTime

    @property
    def images_per_second(self) -> float:
        """Of all devices."""
        return self.devices * self.step.images_per_second

    def to_dict(self, speed: ReadingSpeed) -> dict[str, Any]:
        """Plain values, with the verdict."""
        return {
            **asdict(self),
            "images_per_second": self.images_per_second,
            "bottleneck": self.bottleneck(speed),
            "delivered_share": speed.images_per_second / self.images_per_second,
        }

    def bottleneck(self, speed: ReadingSpeed) -> str:
        """What the other two wait for: the model, the disk or decoding."""
        return "the model" if speed.images_per_second >= self.images_per_second else speed.slower

    def as_text(self, speed: ReadingSpeed) -> str:
        """The need and the verdict."""
        share = speed.images_per_second / self.images_per_second
        verdict = f"{self.bottleneck(speed)} is the bottleneck"
        if share >= 1:
            verdict += f": the data come {share:.1f} times as fast as {self.backbone} takes them"
        else:
            verdict += f": the data come at {share:.0%} of what {self.backbone} takes"
            per_core = speed.decoded_images_per_second_per_core  # 0 where no file can be decoded
            # with a slower disk, more cores would wait for it
            if per_core and speed.disk_images_per_second >= self.images_per_second:
                cores = math.ceil(self.images_per_second / per_core)
                verdict += f"; {cores:,} cores would be enough"
        size = f"{self.image_size}x{self.image_size}"
        need = f"{self.images_per_second:,.0f} images/s: {self.backbone} at {size}, {self.precision}"
        return f"need      {need}, {self.devices} x {self.step.device}\nverdict   {verdict}"


def measure_need(backbone: str, image_size: int, num_classes: int, devices: int | None = None) -> Need:
    """Time a few training steps of a backbone with a head, on images that are on the device already.

    Args:
        backbone: a registered name.
        image_size: in pixels.
        num_classes: of the head.
        devices: how many train; None for all GPUs, or one CPU.

    Raises:
        UnknownName: there is no such backbone.
    """
    gpus = torch.cuda.device_count()
    precision = "bf16-mixed" if gpus else "32-true"
    model = ImageClassifier(create_backbone(backbone), max(2, num_classes))
    step = measure_step(model, image_size, MOST_IMAGES, precision)
    return Need(backbone, image_size, precision, devices or max(1, gpus), step)
