"""What happens to a batch on the device, before the net sees it: augmentation, normalisation, its size."""

from __future__ import annotations

from typing import Any

from resnet_zoo.data.augment import BatchAugmentation
from resnet_zoo.data.augmentations import AugmentationPlan
from resnet_zoo.data.batch import ImageBatch
from resnet_zoo.data.description import DataDescription
from resnet_zoo.data.progressive_resizing import averaged_down
from resnet_zoo.data.transfer import ImageTransfer
from resnet_zoo.data.views import View


class BatchPreparation(ImageTransfer, DataDescription):
    """The part of a data set that works on whole batches, on the device.

    Attributes:
        augmentation: what is random about training batches before they are normalised.
        augment: what is random beyond that.
        view: how evaluation looks at every image; by default as the data set says.
    """

    augmentation: BatchAugmentation
    augment: AugmentationPlan
    view: View

    def prepare(self, batch: ImageBatch) -> ImageBatch:
        """Augment (a batch with seeds) and normalise, on the device the batch is on.

        Args:
            batch: from a loader, images uint8 (b, 3, h, w).

        Returns:
            The batch with images float32 (b, 3, h, w), in the same memory format; mixed with each other, and ``mix``
            saying how, where ``augment`` says so; averaged down to ``train_size`` where they are larger.
        """
        images, offsets = batch.images, None
        if batch.seeds is not None:
            images = self.augmentation.crop_and_flip(images, batch.seeds)
            offsets = self.augmentation.color_offsets(batch.seeds)
        elif self.view.mirror:
            images = images.flip(-1)
        batch = batch._replace(images=self.normalization.apply(images, offsets))
        if batch.seeds is None:
            return batch
        batch = self.augment.on_device(batch)
        if batch.train_size is None:
            return batch
        return batch._replace(images=averaged_down(batch.images, batch.train_size))

    def preprocessing(self) -> dict[str, Any]:
        """What turns a picture into the net's input, for whoever uses the net elsewhere: plain types.

        Mean and standard deviation are per channel in units of the full range, the size is in pixels.
        """
        return {
            "mean": [float(value) for value in self.normalization.mean],
            "std": [float(value) for value in self.normalization.std],
            "image_size": int(self.image_size),
        }

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Called by Lightning once a batch is on the device."""
        return self.prepare(batch) if isinstance(batch, ImageBatch) else batch
