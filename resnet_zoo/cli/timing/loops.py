"""Training loops without a framework, on the same images as ours: the least that a step costs, and how others do it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from resnet_zoo.cli.timing.job import OPTIMIZER, Job
from resnet_zoo.data.batch import ImageBatch
from resnet_zoo.errors import InvalidValue


class BareLoop:
    """Forward, backward, optimizer, and nothing else: our net, loader and settings in a dozen lines of torch.

    Args:
        job: what to train.
        net: images to logits; by default the job's own.
        channels_last: the memory format of weights and images.
    """

    note = "a loop of torch alone: same net, images and settings"

    def __init__(self, job: Job, net: nn.Module | None = None, channels_last: bool = True) -> None:
        self.job, self.device = job, job.torch_device
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.net = (net or job.model()).train().to(self.device).to(memory_format=self.format)
        self.optimizer = torch.optim.SGD(self.net.parameters(), **OPTIMIZER)
        self._batches = self._endless_batches()

    def run(self, steps: int) -> None:
        """Train for so many steps."""
        for _ in range(steps):
            images, labels = next(self._batches)
            with self.autocast():
                logits = self.net(images)
            loss = cross_entropy(logits.float(), labels)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            self.after_step(logits, labels, loss)

    def autocast(self) -> AbstractContextManager[object]:
        """The context of the forward pass."""
        return self.job.autocast()

    def after_step(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        """Nothing."""

    def _endless_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        data = self.job.data()
        data.setup("fit")
        loader = data.train_dataloader()
        epoch = 0
        while True:
            loader.set_epoch(epoch)
            for batch in loader:
                prepared = data.prepare(_on(batch, self.device))
                yield prepared.images.contiguous(memory_format=self.format), prepared.labels
            epoch += 1


class UsualScript(BareLoop):
    """As most people's scripts train: images and weights NCHW, float32, loss and accuracy fetched in every step."""

    note = "the usual script: NCHW, float32, loss and accuracy fetched every step"

    def __init__(self, job: Job) -> None:
        super().__init__(job, channels_last=False)

    def autocast(self) -> AbstractContextManager[object]:
        """None."""
        return nullcontext()

    def after_step(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        """Wait for the device, twice."""
        loss.item()
        (logits.argmax(1) == labels).float().mean().item()


class TorchvisionLoop(BareLoop):
    """torchvision's net of the same name, trained as its classification reference does: loss and top-1 and top-5
    fetched in every step.
    """

    note = "torchvision's net and reference step, channels-last"

    def __init__(self, job: Job) -> None:
        from torchvision.models import get_model, list_models

        if job.backbone not in list_models():
            raise InvalidValue(
                f"torchvision has no net named {job.backbone!r} to compare with. Leave it out."
            )
        super().__init__(job, get_model(job.backbone, weights=None, num_classes=job.num_classes))

    def after_step(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        """Fetch the loss, top-1 and top-5."""
        best = logits.topk(min(5, logits.shape[1]), 1).indices.t()
        right = best == labels
        loss.item()
        right[:1].sum().item()
        right.sum().item()


class TimmLoop(BareLoop):
    """timm's net of the same name in the loop of its benchmark: nothing is fetched."""

    note = "timm's net and benchmark loop, channels-last"

    def __init__(self, job: Job) -> None:
        try:
            timm: Any = importlib.import_module("timm")
        except ImportError as error:
            raise InvalidValue("timm is not installed. Install it, or leave it out of --against.") from error
        if job.backbone not in timm.list_models():
            raise InvalidValue(f"timm has no net named {job.backbone!r} to compare with. Leave it out.")
        net: Any = timm.create_model(job.backbone, num_classes=job.num_classes)
        super().__init__(job, net)


LOOPS: dict[str, type[BareLoop] | type[UsualScript]] = {
    "bare": BareLoop,
    "usual": UsualScript,
    "torchvision": TorchvisionLoop,
    "timm": TimmLoop,
}
"""Contenders by the names that ``--against`` takes."""


def _on(batch: ImageBatch, device: torch.device) -> ImageBatch:
    moved = {name: getattr(batch, name).to(device) for name in ("images", "labels", "indices")}
    seeds = None if batch.seeds is None else batch.seeds.to(device)
    return batch._replace(seeds=seeds, **moved)
