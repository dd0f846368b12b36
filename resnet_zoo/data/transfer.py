"""Batches on their way to the device."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import LightningDataModule

from resnet_zoo.data.batch import ImageBatch


class ImageTransfer(LightningDataModule):
    """Leaves batches alone that are on the device already, as those of images held in memory are.

    Lightning looks through whatever a batch is for things that can be moved, which takes longer than a small net's
    forward pass.
    """

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Called by Lightning with every batch."""
        if isinstance(batch, ImageBatch) and all(
            tensor is None or tensor.device == device
            for tensor in (*batch[:4], batch.share_seeds, *(batch.mix or ()))
        ):
            return batch
        return super().transfer_batch_to_device(batch, device, dataloader_idx)
