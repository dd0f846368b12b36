"""What the ranks of a run tell each other; a process that runs alone tells itself."""

from __future__ import annotations

from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

Value = TypeVar("Value")


def is_in_group() -> bool:
    """Whether this process belongs to a group of ranks that can reach each other."""
    return dist.is_available() and dist.is_initialized()


def sum_over_ranks(tensor: Tensor) -> Tensor:
    """The sum over all ranks, each of which must call it; may be the tensor itself, changed in place.

    A tensor on the CPU, such as the counts of a rank that has seen no batch yet, goes to the device in use where the
    backend does not reach the CPU.
    """
    if not is_in_group():
        return tensor
    if tensor.device.type == "cpu" and "cpu" not in str(dist.get_backend_config()):
        tensor = tensor.to(torch.accelerator.current_accelerator())
    dist.all_reduce(tensor, op=dist.ReduceOp.SUM)
    return tensor


def from_all_ranks(value: Value) -> list[Value]:
    """The values of all ranks in their order, on each of them; every rank must call it. They are pickled."""
    if not is_in_group():
        return [value]
    gathered = [value] * dist.get_world_size()
    dist.all_gather_object(gathered, value)
    return gathered
