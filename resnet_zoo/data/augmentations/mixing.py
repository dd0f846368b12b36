"""MixUp and CutMix: every image is mixed with another one of its batch."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from resnet_zoo.data import random
from resnet_zoo.data.augmentations.base import Mixing, Shares
from resnet_zoo.data.augmentations.betas import symmetric_beta
from resnet_zoo.data.augmentations.regions import Boxes, images_of, rows_of
from resnet_zoo.data.batch import Mixture

_SHARE, _CENTER = 0, 1


class MixUp(Mixing):
    """Two images are blended, and their losses in the same proportion (Zhang et al. 2017, arXiv:1710.09412, section 2).

    A share depends on the image's seed alone; one for several images on the update and their place in it, whatever the
    number of ranks.

    Args:
        alpha: both parameters of the Beta distribution of the share; the paper takes 0.1 to 0.4 for ImageNet and 1 for
            CIFAR.
        probability: share of the images that are blended; together with CutMix each image gets one of the two at most.
        images_per_share: how many images in a row of an update are blended alike: 1 draws a share for every image
            (timm's mode 'elem'), the size of a rank's batch makes one for all of it, as the paper does (timm's mode
            'batch').

    Raises:
        InvalidValue: a value that is not allowed.
    """

    paper: ClassVar[str] = "Zhang et al. 2017, arXiv:1710.09412, section 2"

    def __init__(self, alpha: float = 0.2, probability: float = 1.0, images_per_share: int = 1) -> None:
        super().__init__(alpha, probability, images_per_share)

    def shares(self, seeds: Tensor, draw: int, size: tuple[int, int], chosen: Tensor) -> Shares:
        """Drawn from the seeds, and the same in every pixel."""
        own = symmetric_beta(random.uniforms(seeds, draw + _SHARE), self.alpha)
        weights = torch.where(chosen, own, 1.0)
        return Shares(weights, blend=weights)


class CutMix(Mixing):
    """A rectangle of the image is replaced by the partner's, and the loss weighted by area (Yun et al. 2019,
    arXiv:1905.04899, section 3.1).

    The rectangle has the image's proportions and its centre at any pixel; where it sticks out of the image, the share
    is that of the pixels replaced.

    Args:
        alpha: both parameters of the Beta distribution of the share; the paper takes 1.
        probability: share of the images that get a rectangle; together with MixUp each image gets one of the two at
            most.
        images_per_share: how many images in a row of an update get the same rectangle, as for MixUp.

    Raises:
        InvalidValue: a value that is not allowed.
    """

    paper: ClassVar[str] = "Yun et al. 2019, arXiv:1905.04899, section 3.1"

    def __init__(self, alpha: float = 1.0, probability: float = 1.0, images_per_share: int = 1) -> None:
        super().__init__(alpha, probability, images_per_share)

    def shares(self, seeds: Tensor, draw: int, size: tuple[int, int], chosen: Tensor) -> Shares:
        """The pixels that are replaced, and what share is left."""
        height, width = size
        own = symmetric_beta(random.uniforms(seeds, draw + _SHARE), self.alpha)
        centers = random.integers(seeds, draw + _CENTER, (height, width))
        boxes = cut_boxes(torch.where(chosen, own, 1.0), centers[0], centers[1], height, width)
        weights = 1.0 - boxes.area() / float(height * width)
        return Shares(weights.to(torch.float32), replaced=boxes.mask(height, width))


def cut_boxes(own: Tensor, rows: Tensor, columns: Tensor, height: int, width: int) -> Boxes:
    """Rectangles of an area of ``1 - own`` about a centre, cut off at the image's borders.

    Args:
        own: float32 (b,), share that the image is to keep.
        rows, columns: int64 (b,), the centre.
        height, width: of the image.
    """
    side = 0.5 * torch.sqrt(1.0 - own)
    half_height, half_width = (side * height).long(), (side * width).long()
    return Boxes(
        (rows - half_height).clamp(min=0),
        (columns - half_width).clamp(min=0),
        (rows + half_height).clamp(max=height),
        (columns + half_width).clamp(max=width),
    )


def partners(real: Tensor) -> Tensor:
    """The position of every image's partner: the real image before it in the batch, for the first one the last.

    Padding is nobody's partner, and its own. A batch is part of a random permutation, so that an image's
    partner is as random as any, and it is found on the rank itself.

    Args:
        real: bool (b,), false at padding.

    Returns:
        int64 (b,).
    """
    order = torch.argsort((~real).to(torch.uint8), stable=True)  # the real ones first
    number = real.cumsum(0) - 1
    before = order[(number - 1) % real.sum().clamp(min=1)]
    return torch.where(real, before, torch.arange(len(real), device=real.device))


def mix(images: Tensor, labels: Tensor, shares: Shares) -> tuple[Tensor, Mixture]:
    """Mix every image with its partner.

    Args:
        images: float32 (b, 3, h, w).
        labels: int64 (b,); -1 marks padding.
        shares: how much, and where.

    Returns:
        The images, float32 (b, 3, h, w), and what the loss needs to know.
    """
    partner = partners(labels >= 0)
    own = rows_of(images)
    other = own.index_select(0, partner)
    mixed = own if shares.blend is None else torch.lerp(other, own, shares.blend.view(-1, 1, 1))
    if shares.replaced is not None:
        mixed = torch.where(shares.replaced, other, mixed)
    return images_of(mixed), Mixture(labels[partner], shares.weights)
