"""Augmentation of whole batches on the training device, random for every image by its own seed.

An image's augmentation depends on nothing but its seed: not on the batch it is in, the rank, the worker or
the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from resnet_zoo.data import random

# Numbers of the draws made here. Transforms in workers use the same seeds from draw 0 on, at most 40 of them.
_FLIP, _COLOR = 1000, 1010  # the corner of the crop follows the flip

# Principal components of the colours of ImageNet's pixels in units of the full range, eigenvectors as
# columns: the values that came with fb.resnet.torch (datasets/imagenet.lua) and that everyone uses since.
_COLOR_EIGENVALUES = (0.2175, 0.0188, 0.0045)
_COLOR_EIGENVECTORS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))


@dataclass(frozen=True)
class BatchAugmentation:
    """What is random about a training batch once all images have one size.

    Args:
        pad: zero-pad by this many pixels on every side and crop back at a random place (He et al. 2015,
            arXiv:1512.03385, section 4.2, with 4).
        flip: mirror left to right with probability one half.
        color_noise: standard deviation of the colour noise of Krizhevsky et al. 2012 (section 4.1, with 0.1):
            one random multiple of each principal component of ImageNet's colours per image; 0 for none.
    """

    pad: int = 0
    flip: bool = False
    color_noise: float = 0.0

    def crop_and_flip(self, images: Tensor, seeds: Tensor) -> Tensor:
        """Random crop out of the zero-padded image, then random flip.

        Args:
            images: uint8 (b, 3, h, w).
            seeds: int64 (b,), on the same device.

        Returns:
            uint8 (b, 3, h, w), channels-last.
        """
        if not self.pad:
            return _flip(images, random.integers(seeds, _FLIP, (2,))[0]) if self.flip else images
        choices = 2 * self.pad + 1
        flips, tops, lefts = random.integers(seeds, _FLIP, (2, choices, choices))
        return crop_padded(images, self.pad, tops, lefts, flips if self.flip else None)

    def color_offsets(self, seeds: Tensor) -> Tensor | None:
        """What to add to every pixel of an image: float32 (b, 3) in units of the full range; None without
        colour noise.
        """
        if not self.color_noise:
            return None
        eigenvalues, eigenvectors = _color_components(seeds.device)
        amounts = torch.stack(
            [random.normals(seeds, _COLOR + 2 * component) for component in range(3)], dim=1
        )
        steps = self.color_noise * amounts * eigenvalues
        # not a matrix product, whose rounding may depend on the size of the batch
        return (eigenvectors * steps.unsqueeze(1)).sum(dim=2)


@lru_cache(maxsize=8)
def _color_components(device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.tensor(_COLOR_EIGENVALUES, device=device), torch.tensor(_COLOR_EIGENVECTORS, device=device)


def _flip(images: Tensor, flips: Tensor) -> Tensor:
    return torch.where(flips.bool().view(-1, 1, 1, 1), images.flip(-1), images)


def crop_padded(images: Tensor, pad: int, tops: Tensor, lefts: Tensor, flips: Tensor | None = None) -> Tensor:
    """Zero-pad, crop back to the original size, mirror: the whole batch by copying rows of pixels.

    The padded batch is seen as overlapping rows of w pixels that start at every pixel, out of which one
    gather takes the b * h rows wanted. Mirrored images come from a mirrored copy: a loop over pixels would
    take twice as long as all the rest.

    Args:
        images: uint8 (b, 3, h, w); channels-last is fast.
        pad: pixels of zeros on every side.
        tops, lefts: int64 (b,) in 0..2 * pad, corner of the crop in the padded image.
        flips: int64 (b,), 1 where the crop is to be mirrored left to right; None for nowhere.

    Returns:
        uint8 (b, 3, h, w), channels-last.
    """
    batch, channels, height, width = images.shape
    pixels = images.permute(0, 2, 3, 1)
    padded_height, padded_width = height + 2 * pad, width + 2 * pad
    padded = images.new_zeros(1 if flips is None else 2, batch, padded_height, padded_width, channels)
    inside = padded[:, :, pad : pad + height, pad : pad + width]
    inside[0] = pixels
    starts = (torch.arange(batch, device=images.device) * padded_height + tops) * padded_width + lefts
    if flips is not None:
        inside[1] = pixels.flip(2)
        starts = starts + flips * (batch * padded_height * padded_width + 2 * (pad - lefts))
    wanted = starts.unsqueeze(1) + torch.arange(height, device=images.device) * padded_width
    rows = padded.as_strided((padded.numel() // channels - width + 1, width * channels), (channels, 1))
    cropped = rows.index_select(0, wanted.view(-1))
    return cropped.view(batch, height, width, channels).permute(0, 3, 1, 2)
