"""Batches on their way to a GPU, on a stream of their own: the copy runs while the net is still at work.

Kernels are queued, not waited for: when the trainer asks for a batch, the device is still busy with the one before
it. A copy in the same queue would begin only after that; on a stream of its own it goes on at the same time, and the
net's queue waits for the copy alone. So the next batch is there ahead of the net without the trainer's asking for one
more than it needs, and a loader's count of what it handed out stays exact.
"""

from __future__ import annotations

import torch
from torch import Tensor


class SideStream:
    """Copies tensors to a CUDA device.

    Args:
        device: to copy to.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def copy(self, tensor: Tensor) -> Tensor:
        """The tensor on the device, in the same memory format; at once if it is there already.

        Whatever is queued on the current stream afterwards finds it complete. The source may be dropped or changed as
        soon as this returns: it is copied to page-locked memory first, which torch keeps until the device has read it.
        """
        if tensor.device.type == "cuda":
            return tensor
        pinned = tensor.pin_memory()
        with torch.cuda.stream(self._stream):
            copied = pinned.to(self.device, non_blocking=True)
        current = torch.cuda.current_stream(self.device)
        current.wait_stream(self._stream)
        copied.record_stream(current)  # its memory is not given out again before the net has done with it
        return copied


def side_stream(device: torch.device | None) -> SideStream | None:
    """A stream for copies to a device; None where none is needed: only CUDA has queues."""
    return SideStream(device) if device is not None and device.type == "cuda" else None
