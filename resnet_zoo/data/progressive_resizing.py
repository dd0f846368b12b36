"""Training on smaller images at first: fewer multiply-adds an image while the net learns what is coarse."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from resnet_zoo.errors import InvalidValue

SMALLEST = 8


@dataclass(frozen=True)
class ProgressiveResizing:
    """Training images of a size that grows with the epochs; evaluation keeps its own.

    The ramp is that of FFCV's ImageNet training (Leclerc et al. 2023, arXiv:2306.12517): ``start_size`` up to and
    including ``start_epoch``, but ``end_size`` from ``end_epoch`` on, between them linear and rounded to multiples of
    ``multiple``. The size depends on the epoch alone, so that a resumed training sees the same images. A net that is
    tested on larger images than it was trained on scores higher than at the training size (Touvron et al. 2019,
    arXiv:1906.06423); equal sizes of start and end give just that.

    Image files are cropped at the epoch's size by the loader, which makes smaller batches to resize, send and augment.
    Images held in memory have one size; they are augmented at it and then averaged down on the device (bilinear with
    antialiasing).

    Args:
        start_size: height and width of the first epochs' images, in pixels.
        end_size: of the last epochs' images; by default the data's ``image_size``, which is the most it can be.
        start_epoch: the last epoch, counted from 0, of ``start_size``.
        end_epoch: the first epoch of ``end_size``.
        multiple: of pixels, that the sizes between are rounded to.

    Raises:
        InvalidValue: sizes or epochs that do not rise.
    """

    start_size: int
    end_size: int | None = None
    start_epoch: int = 0
    end_epoch: int = 0
    multiple: int = 32

    def __post_init__(self) -> None:
        if self.start_size < SMALLEST:
            raise InvalidValue(
                f"start_size={self.start_size} is not allowed. Use at least {SMALLEST} pixels."
            )
        if self.end_size is not None and self.end_size < self.start_size:
            raise InvalidValue(
                f"end_size={self.end_size} is smaller than start_size={self.start_size}. Images can only grow: "
                f"use {self.start_size} or more."
            )
        if not 0 <= self.start_epoch <= self.end_epoch:
            raise InvalidValue(
                f"start_epoch={self.start_epoch} and end_epoch={self.end_epoch} are not allowed. Both count from 0, "
                "and the end does not come before the start."
            )
        if self.multiple < 1:
            raise InvalidValue(f"multiple={self.multiple} is not allowed. Use a number of pixels, e.g. 32.")

    def check(self, image_size: int) -> None:
        """Refuse sizes beyond that of the data, and one that no epoch has.

        Raises:
            InvalidValue: with the sizes.
        """
        largest = self.start_size if self.end_size is None else self.end_size
        if largest > image_size:
            raise InvalidValue(
                f"progressive resizing to {largest} pixels needs images at least as large, and the data's "
                f"image_size={image_size}. Use a larger image_size, or at most {image_size}."
            )
        if self.end_epoch == 0 and self.start_size != (self.end_size or image_size):
            raise InvalidValue(
                f"progressive resizing: start_size={self.start_size} would have no effect, since the end size comes "
                "with epoch end_epoch=0, the first. Set end_epoch, and start_epoch for when images begin to grow."
            )

    def size_at(self, epoch: int, image_size: int) -> int:
        """Height and width of the training images in an epoch, counted from 0, of data of ``image_size``."""
        end_size = image_size if self.end_size is None else self.end_size
        if epoch >= self.end_epoch:
            return end_size
        if epoch <= self.start_epoch:
            return self.start_size
        share = (epoch - self.start_epoch) / (self.end_epoch - self.start_epoch)
        between = self.start_size + share * (end_size - self.start_size)
        return min(max(round(between / self.multiple) * self.multiple, self.start_size), end_size)

    def remarks(self, num_epochs: int, image_size: int) -> list[str]:
        """What somebody who starts a training of so many epochs should know; usually nothing."""
        end_size, last = image_size if self.end_size is None else self.end_size, max(num_epochs - 1, 0)
        largest = self.size_at(last, image_size)
        if largest == end_size:
            return []
        grown = f"grow to {largest} of" if largest > self.start_size else f"stay at {largest}, and never have"
        return [
            f"progressive resizing: within the {num_epochs} epochs of this training images {grown} {end_size} pixels, "
            f"which come with epoch {self.end_epoch}; give an end_epoch of {last} at most"
        ]

    @property
    def most_sizes(self) -> int:
        """No training has more sizes: one before the ramp, one after it, and one for each epoch between."""
        return max(2, self.end_epoch - self.start_epoch + 1)

    def in_words(self, image_size: int) -> str:
        """What happens when, for people."""
        end_size = image_size if self.end_size is None else self.end_size
        if end_size == self.start_size:
            return f"trained on {end_size}x{end_size} pixels, evaluated on {image_size}x{image_size}"
        return (
            f"trained on {self.start_size}x{self.start_size} pixels, on {end_size}x{end_size} from epoch "
            f"{self.end_epoch} on, evaluated on {image_size}x{image_size}"
        )


def averaged_down(images: Tensor, size: int) -> Tensor:
    """Float images (b, c, h, w) to (b, c, size, size), bilinear with antialiasing, in the same memory format."""
    if images.shape[-1] == size:
        return images
    resized: Tensor = functional.interpolate(images, (size, size), mode="bilinear", antialias=True)
    return resized
