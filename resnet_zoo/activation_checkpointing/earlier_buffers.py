"""Buffers as they were before a forward pass, for the second one, whose changes to them must not count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn


class _Buffer(NamedTuple):
    """Where a buffer is, and what it was."""

    module: nn.Module
    name: str
    tensor: Tensor
    version: int
    before: Tensor

    def has_changed(self) -> bool:
        # The kernels of batch norm do not tell autograd that they change their statistics.
        is_norm = isinstance(self.module, nn.modules.batchnorm._NormBase)
        return (
            is_norm
            or self.module._buffers[self.name] is not self.tensor
            or self.tensor._version != self.version
        )


class EarlierBuffers:
    """What some modules need for a second forward pass that repeats the first and changes no buffer.

    Batch norm in training reads nothing of its running statistics, so that any memory can take their place; most nets
    have no other buffers. Others are copied before the first pass, and the copies of those that it left unchanged are
    dropped.

    Args:
        modules: with all that is in them; before the first pass.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        inner = [module for each in modules for module in each.modules() if module._buffers]
        self._batch_norms = [module for module in inner if _reads_no_statistics(module)]
        self._others = [
            _Buffer(module, name, tensor, tensor._version, tensor.clone())
            for module in inner
            if not _reads_no_statistics(module)
            for name, tensor in module._buffers.items()
            if tensor is not None
        ]

    def contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """Of the first pass and of every further one, as ``torch.utils.checkpoint`` asks for them."""
        return self._first_pass(), _Again(self)

    @contextmanager
    def _first_pass(self) -> Iterator[None]:
        yield
        self._others = [buffer for buffer in self._others if buffer.has_changed()]

    def stand_ins(self) -> Iterator[tuple[nn.Module, dict[str, Tensor | None]]]:
        """Modules, and buffers to take the place of theirs."""
        for module in self._batch_norms:
            statistics = {
                name: None if tensor is None or name == "num_batches_tracked" else torch.empty_like(tensor)
                for name, tensor in module._buffers.items()
            }
            yield module, statistics
        for buffer in self._others:
            yield buffer.module, {buffer.name: buffer.before.clone()}


class _Again(AbstractContextManager[None]):
    """Another forward pass, with buffers of its own; can be entered again, as a generator's context cannot."""

    def __init__(self, buffers: EarlierBuffers) -> None:
        self._buffers = buffers
        self._real: list[tuple[nn.Module, dict[str, Tensor | None]]] = []

    def __enter__(self) -> None:
        for module, stand_ins in self._buffers.stand_ins():
            self._real.append((module, {name: module._buffers[name] for name in stand_ins}))
            module._buffers.update(stand_ins)

    def __exit__(self, *_: object) -> None:
        while self._real:
            module, buffers = self._real.pop()
            module._buffers.update(buffers)


def _reads_no_statistics(module: nn.Module) -> bool:
    """Whether this is torch's batch norm, training with the statistics of its batch."""
    is_plain = type(module).forward is nn.BatchNorm2d.forward
    return is_plain and module.training and module.running_mean is not None
