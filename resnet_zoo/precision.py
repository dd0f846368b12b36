"""Keeping normalisation layers in float32 while the rest of a net changes its type."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from resnet_zoo.optim import is_norm_layer


@contextmanager
def norms_untouched(net: nn.Module) -> Iterator[None]:
    """Within the block, a conversion of ``net`` moves its normalisation layers but does not change their type.

    Running statistics move by a tenth of a difference that bfloat16 often cannot represent, so a net in
    ``bf16-true`` would otherwise evaluate with statistics that stopped moving.
    """
    norms = [module for module in net.modules() if is_norm_layer(module)]
    kept = [{name: tensor.detach().clone() for name, tensor in _tensors(norm)} for norm in norms]
    yield
    for norm, before in zip(norms, kept, strict=True):
        for name, tensor in _tensors(norm):
            if tensor.dtype != before[name].dtype:
                tensor.data = before[name].to(tensor.device)


def _tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
