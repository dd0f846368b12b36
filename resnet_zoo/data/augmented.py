"""Training images with the augmentations that take one image at a time, applied where the images are fetched."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from resnet_zoo.data.augmentations.plan import AugmentationPlan
from resnet_zoo.data.index import ImageIndex
from resnet_zoo.data.sources import ImageSource, at_size
from resnet_zoo.errors import InvalidValue


class AugmentedImages:
    """The images of another source, changed one by one after they have been brought to one size.

    Args:
        source: of the images, on the CPU.
        plan: whose image augmentations are applied.
    """

    def __init__(self, source: ImageSource, plan: AugmentationPlan) -> None:
        self.source = source
        self.plan = plan

    @property
    def labels(self) -> Tensor:
        """int64 (n,), on the CPU."""
        return self.source.labels

    @property
    def index(self) -> ImageIndex | None:
        """Names of the files; None if the images are no files of their own."""
        return self.source.index

    def at_size(self, size: int) -> AugmentedImages:
        """The same changes of images of another size, where the source has them."""
        return AugmentedImages(at_size(self.source, size), self.plan)

    def fetch(self, positions: Tensor, seeds: Tensor | None) -> Tensor:
        """uint8 (b, 3, h, w), channels-last; as the source has them where there are no seeds.

        Raises:
            InvalidValue: an augmentation returns an image of another size or kind.
        """
        images = self.source.fetch(positions, seeds)
        if seeds is not None:
            pixels = images.permute(0, 2, 3, 1).numpy()
            for image, position, seed in zip(pixels, positions.tolist(), seeds.tolist(), strict=True):
                if position >= 0:
                    image[:] = self.augmented(image, seed)
        return images

    def augmented(self, pixels: NDArray[np.uint8], seed: int) -> NDArray[Any]:
        """One image, uint8 (h, w, 3), after all image augmentations in their order."""
        image = Image.fromarray(pixels)
        for position, augmentation in enumerate(self.plan.images):
            changed = augmentation(image, self.plan.generator(seed, position))
            if changed.size != image.size or changed.mode != image.mode:
                raise InvalidValue(
                    f"augment: {type(augmentation).__name__} made an image of mode {changed.mode!r} and size "
                    f"{changed.size} out of one of mode {image.mode!r} and size {image.size}. It must keep both."
                )
            image = changed
        return np.asarray(image)
