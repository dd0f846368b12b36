"""A moving average of a module's tensors, kept outside of the module and moved by one call for all of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

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
        own = {name: value for name, value in module.state_dict().items() if isinstance(value, Tensor)}
        self.values: dict[str, Tensor] = {
            name: tensor.to(_kept_type(tensor), copy=True) for name, tensor in own.items()
        }
        floating = [name for name, tensor in own.items() if tensor.is_floating_point()]
        counters = [name for name, tensor in own.items() if not tensor.is_floating_point()]
        self._averages = [self.values[name] for name in floating]
        self._averaged = [own[name] for name in floating]
        self._copies = [self.values[name] for name in counters]
        self._counters = [own[name] for name in counters]

    @torch.no_grad()
    def update(self, decay: float) -> None:
        """Move each average by ``1 - decay`` of the way to the module's tensor, all in one call; 0 copies."""
        own = [
            tensor.to(average.dtype) for tensor, average in zip(self._averaged, self._averages, strict=True)
        ]
        move = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        move(self._averages, own, None)
        for copy, counter in zip(self._copies, self._counters, strict=True):
            copy.copy_(counter)

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
