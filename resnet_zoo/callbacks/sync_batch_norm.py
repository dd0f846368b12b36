"""Batch normalisation over all ranks, on CPUs as well.

torch's ``SyncBatchNorm`` has kernels for GPUs alone, and DistributedDataParallel refuses it on CPUs. Here the same
computation is written with one sum over the ranks in each direction, in float64, so that ranks on CPUs (a laptop, a
test, a cluster without GPUs) train as one process would.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch.plugins.layer_sync import TorchSyncBatchNorm
from torch import Tensor, nn

from resnet_zoo.ranks import is_in_group


class CpuSyncBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm whose statistics in training are those of all ranks' batches together, which may differ in size."""

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - torch's own name
        assert input.dim() >= 2, input.shape

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's own name
        """Images (b, c, ...) to normalised images of the same shape."""
        alone = not is_in_group() or dist.get_world_size() == 1
        uses_batch = self.training or self.running_mean is None
        if alone or not uses_batch:
            output: Tensor = super().forward(input)
            return output
        normalised, mean, variance, count = _Normalise.apply(input, self.eps)
        if self.training and self.running_mean is not None:
            self._move_statistics(mean, variance * (count / (count - 1)))
        if self.affine:
            shape = _per_channel(input)
            normalised = normalised * self.weight.view(shape) + self.bias.view(shape)
        result: Tensor = normalised.to(input.dtype)
        return result

    @torch.no_grad()
    def _move_statistics(self, mean: Tensor, unbiased_variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(unbiased_variance.to(self.running_var.dtype), share)


class _Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) with mean and variance per channel over the batches of all ranks."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        channels, over, shape = images.shape[1], _all_but_channels(images), _per_channel(images)
        wide = images.double()
        sums = torch.cat([wide.sum(over), wide.new_tensor([images.numel() / channels])])
        dist.all_reduce(sums)
        count = sums[-1]
        mean = sums[:channels] / count
        # The squares of differences, not the difference of squares, which would lose the digits of a small variance.
        squares = (wide - mean.view(shape)).square().sum(over)
        dist.all_reduce(squares)
        variance = squares / count
        inverse = (variance + eps).rsqrt()
        normalised = ((wide - mean.view(shape)) * inverse.view(shape)).to(images.dtype)
        ctx.save_for_backward(normalised, inverse, count)
        ctx.mark_non_differentiable(mean, variance, count)
        return normalised, mean, variance, count

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor, None]:
        normalised, inverse, count = ctx.saved_tensors
        channels, over, shape = grad.shape[1], _all_but_channels(grad), _per_channel(grad)
        wide, unit = grad.double(), normalised.double()
        sums = torch.cat([wide.sum(over), (wide * unit).sum(over)])
        dist.all_reduce(sums)
        mean_of_grad, mean_of_product = sums[:channels] / count, sums[channels:] / count
        images = wide - mean_of_grad.view(shape) - unit * mean_of_product.view(shape)
        return (images * inverse.view(shape)).to(grad.dtype), None


class SyncBatchNormEverywhere(TorchSyncBatchNorm):
    """What ``trainer.sync_batchnorm`` applies: torch's layers for a training on GPUs, the one above on CPUs.

    Args:
        on_cpu: decides between the two, when a training starts.
    """

    def __init__(self, on_cpu: Callable[[], bool]) -> None:
        self._on_cpu = on_cpu

    def apply(self, model: nn.Module) -> nn.Module:
        """Replace every batch norm layer of the model; parameters and buffers are taken along."""
        if not self._on_cpu():
            converted: nn.Module = super().apply(model)
            return converted
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
                module.own_class = type(module)  # type: ignore[assignment]
                module.__class__ = CpuSyncBatchNorm  # type: ignore[assignment]
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        """Give the layers of the model their own classes back."""
        if not self._on_cpu():
            reverted: nn.Module = super().revert(model)
            return reverted
        for module in model.modules():
            if isinstance(module, CpuSyncBatchNorm):
                module.__class__ = module.__dict__.pop("own_class")
        return model


def _all_but_channels(images: Tensor) -> list[int]:
    return [dimension for dimension in range(images.dim()) if dimension != 1]


def _per_channel(images: Tensor) -> list[int]:
    return [1, -1, *[1] * (images.dim() - 2)]
