"""What is measured: one training step's net, images and precision, alike for all contenders."""

from __future__ import annotations

import os
import platform
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from resnet_zoo.activation_checkpointing import ActivationCheckpointing, checkpoint_activations
from resnet_zoo.cores import available_cores
from resnet_zoo.data import Synthetic
from resnet_zoo.model import ImageModel, create_backbone

OPTIMIZER: dict[str, Any] = {"lr": 1e-3, "momentum": 0.9, "weight_decay": 1e-4}
"""Of the SGD that all train with. The images are noise, so the rate is small: a training that diverges computes with
numbers that some processors are slow at.
"""


@dataclass(frozen=True)
class Job:
    """One step's work.

    Args:
        backbone: its name or import path.
        image_size: height and width in pixels.
        num_classes: logits.
        batch_size: images in a step.
        precision: of Lightning's trainer: 32-true or bf16-mixed.
        device: cpu, cuda or mps.
        arguments: of the backbone's builder.
        multiply_adds: of one image's forward pass.
        updates: steps in an epoch, and in all.
        compile: whether our training compiles backbone and update: false, true or auto.
        devices: ranks on this machine; the batch is that of all ranks.
        activation_checkpointing: the classifier's option of this name.
    """

    backbone: str
    image_size: int
    num_classes: int
    batch_size: int
    precision: str
    device: str
    arguments: dict[str, Any] = field(default_factory=dict)
    multiply_adds: int = 0
    updates: int = 1
    compile: str = "false"
    devices: int = 1
    activation_checkpointing: ActivationCheckpointing = "none"

    @property
    def torch_device(self) -> torch.device:
        """Where it is computed."""
        return torch.device(self.device, 0) if self.device == "cuda" else torch.device(self.device)

    @property
    def dtype(self) -> torch.dtype:
        """In what its matrices are multiplied."""
        return torch.bfloat16 if self.precision == "bf16-mixed" else torch.float32

    @property
    def operations(self) -> float:
        """Floating point operations of a step: the backward pass takes twice the forward pass, whose multiply-adds
        count two each.
        """
        return 2.0 * 3.0 * self.multiply_adds * self.batch_size

    def autocast(self) -> AbstractContextManager[object]:
        """The context of a forward pass."""
        mixed = self.precision == "bf16-mixed"
        return torch.autocast(self.device, torch.bfloat16) if mixed else nullcontext()

    @property
    def data_arguments(self) -> dict[str, Any]:
        """Of ``Synthetic``."""
        return {
            "image_size": self.image_size,
            "num_classes": self.num_classes,
            "num_train": self.updates * self.batch_size,
            "num_val": 0,
            "num_test": 0,
            "num_distinct": self.batch_size,
            "global_batch_size": self.batch_size,
        }

    def data(self) -> Synthetic:
        """The images: made up and held in memory, shifted and flipped like those of any training."""
        return Synthetic(**self.data_arguments)

    def model(self) -> ImageModel:
        """The net with its head, in training mode."""
        net = ImageModel(create_backbone(self.backbone, **self.arguments), self.num_classes)
        checkpoint_activations(net.backbone, self.activation_checkpointing)
        net.train().to(self.torch_device)
        return net


def machine(device: torch.device) -> dict[str, Any]:
    """Where, when and with what something was measured; plain types."""
    import lightning
    import torchvision

    return {
        "date": time.strftime("%Y-%m-%d"),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else processor(),
        "threads": torch.get_num_threads(),
        "cores": available_cores(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "lightning": lightning.__version__,
    }


def processor() -> str:
    """The CPU's name as Linux says it, else what Python knows."""
    description = Path("/proc/cpuinfo")
    lines = description.read_text(errors="replace").splitlines() if description.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
