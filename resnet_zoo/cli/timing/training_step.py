"""A training step on random images: what a net takes with nothing around it."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from resnet_zoo.cli.timing.job import OPTIMIZER, Job


class TrainingStep:
    """Forward, backward and SGD with momentum, channels-last, on one batch, as often as it is called.

    Args:
        job: net, images, precision and device.

    Attributes:
        net: the backbone with its head.
    """

    def __init__(self, job: Job) -> None:
        self.job, device = job, job.torch_device
        self.net = job.model().to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(self.net.parameters(), **OPTIMIZER)
        images = torch.randn(job.batch_size, 3, job.image_size, job.image_size, device=device)
        self.images = images.contiguous(memory_format=torch.channels_last)
        self.labels = torch.zeros(job.batch_size, dtype=torch.int64, device=device)

    def __call__(self) -> None:
        """Train once."""
        with self.job.autocast():
            logits = self.net(self.images)
        self.optimizer.zero_grad()
        cross_entropy(logits.float(), self.labels).backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def tensors(self) -> Iterator[Tensor]:
        """What is there between two steps: the batch, weights, gradients and the optimizer's state."""
        yield from (self.images, self.labels, *self.net.buffers())
        for parameter in self.net.parameters():
            yield parameter
            if parameter.grad is not None:
                yield parameter.grad
        for state in self.optimizer.state.values():
            yield from (value for value in state.values() if isinstance(value, Tensor))
