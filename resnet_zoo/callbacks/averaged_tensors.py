"""A moving average of a module's tensors, kept outside of the module and moved by one call for all of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from resnet_zoo.errors import InvalidValue


class AveragedTensors:
    """The average of everything in a module's state dict: parameters and buffers.

    Floating-point buffers (the running statistics of batch norm) are averaged like parameters, with the same decay, as
    timm's ``ModelEmaV3`` and torchvision's reference training do, so that the statistics belong to the averaged
    weights. Counters (``num_batches_tracked``) are copied: timm does so too, torchvision averages and truncates them.

    The tensors are plain ones in a plain mapping, not a module: optimizer, DistributedDataParallel, summaries and the
    module's own state dict know nothing of them, and a forward pass with them is
    ``torch.func.functional_call(module, averaged, ...)``, which puts the module's own tensors back whatever happens.
    Half-precision tensors are averaged in float32, where a step of a ten-thousandth is not lost.

    Args:
        module: on its device; its tensors may change their values from here on, but must stay where they are.
    """

    def __init__(self, module: nn.Module) -> None:
        self._own = {name: value for name, value in module.state_dict().items() if isinstance(value, Tensor)}
        self.values: dict[str, Tensor] = {
            name: tensor.to(_kept_type(tensor), copy=True) for name, tensor in self._own.items()
        }
        self._floating = [name for name, tensor in self._own.items() if tensor.is_floating_point()]
        self._others = [name for name in self._own if name not in set(self._floating)]

    @torch.no_grad()
    def update(self, decay: float) -> None:
        """Move each average by ``1 - decay`` of the way to the module's tensor, all in one call; 0 copies."""
        averages = [self.values[name] for name in self._floating]
        torch._foreach_lerp_(
            averages,
            [
                self._own[name].to(average.dtype)
                for name, average in zip(self._floating, averages, strict=True)
            ],
            1.0 - decay,
        )
        for name in self._others:
            self.values[name].copy_(self._own[name])

    @torch.no_grad()
    def load(self, saved: Mapping[str, Tensor]) -> None:
        """Take over averages that were saved.

        Raises:
            InvalidValue: they are of other tensors than the module has; nothing is changed then.
        """
        shapes = {name: tensor.shape for name, tensor in self.values.items()}
        others = {name: tensor.shape for name, tensor in saved.items()}
        if shapes != others:
            wrong = sorted(
                name for name in shapes.keys() | others.keys() if shapes.get(name) != others.get(name)
            )
            raise InvalidValue(
                f"the averaged weights of the checkpoint are of another net: {len(wrong)} of {len(shapes)} tensors are "
                f"missing, unknown or of another shape, e.g. {wrong[0]}. Use the config beside the checkpoint."
            )
        for name, tensor in saved.items():
            self.values[name].copy_(tensor)


def _kept_type(tensor: Tensor) -> torch.dtype:
    return torch.float32 if tensor.dtype in (torch.float16, torch.bfloat16) else tensor.dtype
