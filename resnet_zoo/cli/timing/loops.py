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
from resnet_zoo.data.sources import ResidentImages
from resnet_zoo.errors import InvalidValue


class BareLoop:
    """Forward, backward, optimizer, and nothing else: our net, loader and settings in a dozen lines of torch.

    Args:
        job: what to train.
        net: images to logits; by default the job's own.
        channels_last: the memory format of weights and images.
    """

    note = "a loop of torch alone: same net, images and settings"
    peak_bytes: int | None = None  # its memory is that of the process it runs in

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
            self.update(loss)
            self.after_step(logits, labels, loss)

    def update(self, loss: Tensor) -> None:
        """Backward pass and optimizer."""
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def autocast(self) -> AbstractContextManager[object]:
        """The context of the forward pass."""
        return self.job.autocast()

    def after_step(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        """Nothing."""

    def _endless_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        batches = PreparedBatches(self.job)
        while True:
            for images, labels in batches:
                yield images.contiguous(memory_format=self.format), labels


class UsualScript(BareLoop):
    """As most scripts train: images and weights NCHW, float32, ReLU beside what it reads (``F.relu``), loss and
    accuracy fetched in every step.
    """

    note = "the usual script: NCHW, float32, ReLU not in place, loss and accuracy fetched every step"

    def __init__(self, job: Job, channels_last: bool = False, in_place: bool = False) -> None:
        super().__init__(job, channels_last=channels_last)
        for module in self.net.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = in_place

    @staticmethod
    def check(job: Job) -> None:
        """Nothing: it trains whatever we do."""

    def autocast(self) -> AbstractContextManager[object]:
        """None."""
        return nullcontext()

    def after_step(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        """Wait for the device, twice."""
        loss.item()
        (logits.argmax(1) == labels).float().mean().item()


class TorchvisionLoop(BareLoop):
    """torchvision's net of the same name, trained as its classification reference does (references/classification in
    its repository): loss, top-1 and top-5 fetched in every step; mixed precision on a GPU is float16 with a scaler.
    """

    note = "torchvision's net and reference step (AMP on a GPU), channels-last"

    def __init__(self, job: Job) -> None:
        from torchvision.models import get_model

        super().__init__(job, get_model(job.backbone, weights=None, num_classes=job.num_classes))
        self.half = job.precision == "bf16-mixed" and job.device == "cuda"
        self.scaler = torch.amp.GradScaler(job.device, enabled=self.half)

    @staticmethod
    def check(job: Job) -> None:
        """Refuse a net that torchvision has not.

        Raises:
            InvalidValue: there is none of that name.
        """
        from torchvision.models import list_models

        if job.backbone not in list_models():
            raise InvalidValue(
                f"torchvision has no net named {job.backbone!r} to compare with. Leave it out."
            )

    def autocast(self) -> AbstractContextManager[object]:
        """float16 on a GPU, as ``--amp`` of the reference."""
        return torch.autocast("cuda", torch.float16) if self.half else super().autocast()

    def update(self, loss: Tensor) -> None:
        """Through the scaler, which does nothing where it is not enabled."""
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def after_step(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        """Fetch the loss, top-1 and top-5."""
        best = logits.topk(min(5, logits.shape[1]), 1).indices.t()
        right = best == labels
        loss.item()
        right[:1].sum().item()
        right.sum().item()


class TimmLoop(BareLoop):
    """timm's net of the same name in the loop of its benchmark, which fetches nothing, with the options that are its
    fastest: ``--amp --channels-last --torchcompile``; compiled on a GPU only, since on CPUs it would last minutes.
    """

    note = "timm's net and benchmark loop, channels-last, compiled on a GPU"

    def __init__(self, job: Job) -> None:
        net: Any = _timm().create_model(job.backbone, num_classes=job.num_classes)
        super().__init__(job, net)
        if job.device == "cuda":
            self.net.compile()

    @staticmethod
    def check(job: Job) -> None:
        """Refuse a net that timm has not.

        Raises:
            InvalidValue: there is none of that name, or no timm.
        """
        if job.backbone not in _timm().list_models():
            raise InvalidValue(f"timm has no net named {job.backbone!r} to compare with. Leave it out.")


class PreparedBatches:
    """The job's training images of one pass after the other, augmented and normalised, on its device.

    Args:
        job: what is trained.
    """

    def __init__(self, job: Job) -> None:
        self.data, self.device = job.data(), job.torch_device
        self.data.setup("fit")
        self.loader = self.data.train_dataloader()
        if self.device.type == "cuda" and isinstance(self.loader.source, ResidentImages):
            # Where fit keeps them; a copy in every step would wait for the device.
            self.loader.source = self.loader.source.to(self.device)
        self._epoch = 0

    def __len__(self) -> int:
        """Batches of one pass."""
        return len(self.loader)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Images float32 (b, 3, h, w), channels-last, and labels int64 (b,)."""
        self.loader.set_epoch(self._epoch)
        self._epoch += 1
        for batch in self.loader:
            prepared = self.data.prepare(_on(batch, self.device))
            yield prepared.images, prepared.labels


LOOPS: dict[str, type[UsualScript | TorchvisionLoop | TimmLoop]] = {
    "usual": UsualScript,
    "torchvision": TorchvisionLoop,
    "timm": TimmLoop,
}
"""By the names that ``--against`` takes; each is to have a process, and with it an allocator, of its own."""


def train_in_loop(name: str, job: Job, turns: Iterator[int]) -> None:
    """Train in the loop of this name as many steps as each turn has."""
    loop = LOOPS[name](job)
    for steps in turns:
        loop.run(steps)


def _timm() -> Any:
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise InvalidValue("timm is not installed. Install it, or leave it out of --against.") from error


def _on(batch: ImageBatch, device: torch.device) -> ImageBatch:
    moved = {name: getattr(batch, name).to(device) for name in ("images", "labels", "indices")}
    seeds = None if batch.seeds is None else batch.seeds.to(device)
    return batch._replace(seeds=seeds, **moved)
