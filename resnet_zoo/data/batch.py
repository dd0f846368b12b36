"""What travels from the loaders to the classifier."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Unreadable(NamedTuple):
    """An image that could not be read, in place of which nothing was put.

    Attributes:
        position: its index in the split.
        path: of its file.
        cause: in the words of the decoder or the file system.
    """

    position: int
    path: str
    cause: str


class Mixture(NamedTuple):
    """What the images of a batch were mixed with, each with another one of the same batch.

    The loss of an image is ``weights * loss(label) + (1 - weights) * loss(partner's label)``.

    Attributes:
        labels: int64 (b,), the partner's label; at padding -1.
        weights: float32 (b,), the image's own share, in [0, 1]; 1 where nothing was mixed in.
    """

    labels: Tensor
    weights: Tensor

    def dominant(self, labels: Tensor) -> Tensor:
        """int64 (b,): of the image's own label and its partner's, the one with the larger share; its own of equal
        shares.
        """
        return torch.where(self.weights >= 0.5, labels, self.labels)


class ImageBatch(NamedTuple):
    """A batch of images with everything one must know to train on it or to count it.

    Attributes:
        images: (b, 3, h, w), channels-last in memory; uint8 from the loader, float32 after
            ``ImageDataModule.prepare``.
        labels: int64 (b,); -1 marks padding (and, in prediction, an unknown label): never counted, weight 0
            in the loss.
        indices: int64 (b,), position of the image in its split; -1 marks padding, whose pixels mean nothing, and
            what could not be read.
        seeds: int64 (b,), the augmentation seed of every image, in training; None in evaluation. A batch with
            seeds is a training batch.
        update_size: number of real images in the whole optimizer update this batch belongs to, over all ranks
            and all accumulated batches; 0 in evaluation. With ``W`` ranks and ``A`` accumulated batches, the
            loss of this batch is the sum over its real images times ``W * A / update_size``: averaged over
            ranks and accumulation, as DDP and Lightning do, that is exactly the mean over the update's
            images.
        unreadable: the images of this batch that could not be read. In evaluation their places are padding; in
            training they have none, so that normalisation layers see real images only, unless fewer than two
            images are left.
        train_size: height and width, in pixels, that the net is to see them at; ``prepare`` resizes those of another
            size. None keeps the size that they have, as in evaluation.
        share_seeds: int64 (b,), equal for images of an update that are to be mixed alike; None where each is mixed by
            its own seed, and where nothing is mixed.
        mix: what the images were mixed with (MixUp, CutMix), in training, after ``ImageDataModule.prepare``; None
            where nothing is mixed.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor
    seeds: Tensor | None
    update_size: int
    unreadable: tuple[Unreadable, ...] = ()
    train_size: int | None = None
    share_seeds: Tensor | None = None
    mix: Mixture | None = None
