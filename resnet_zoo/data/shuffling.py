"""The images of an epoch, in their order over all ranks, each with the seed of its augmentation."""

from __future__ import annotations

import torch
from torch import Tensor

from resnet_zoo.data import random

_ORDER, _AUGMENTATION, SHARES = 1, 2, 3
"""Keep the uses of (seed, epoch, ...) independent of each other: the order, what is random about an image, and what is
common to several images that are mixed."""


def permutation(num_samples: int, *seeds: int) -> Tensor:
    """A permutation of ``range(num_samples)``, int64 (n,), that depends on the seeds alone."""
    keys = random.combine(*seeds, torch.arange(num_samples))
    return torch.argsort(keys, stable=True)


def samples_of_epoch(
    num_samples: int, global_batch_size: int, repeats: int, seed: int, epoch: int
) -> tuple[Tensor, Tensor]:
    """What an epoch goes through: a permutation of all images, or with repeats of some of them several times.

    Repeated augmentation (Berman et al. 2019, arXiv:1902.05509, section 3.3; Hoffer et al. 2019, arXiv:1901.09335)
    takes every image of an update several times, augmented anew each time. Here a pass over the images is a permutation
    with every image ``repeats`` times in a row, cut into as many epochs of the usual length, so that every image is
    taken exactly that often in each pass. Within an update the first takes of its images come first, then the second
    ones, and so on: takes of one image are as far apart as can be, and on different ranks where there are enough.

    Args:
        num_samples: images in the split, n.
        global_batch_size: images per update.
        repeats: takes of every image per pass; 1 for none.
        seed: of the run.
        epoch: number of the epoch.

    Returns:
        Images and their augmentation seeds, int64 (n,) both. Every take of a run has a seed of its own, but for the
        chance that two hashes of 64 bits are equal.
    """
    if repeats == 1:
        order = permutation(num_samples, seed, epoch, _ORDER)
        return order, random.combine(seed, epoch, _AUGMENTATION, order)
    passed, part = divmod(epoch, repeats)
    places = torch.arange(num_samples)
    in_pass = places + part * num_samples
    takes = in_pass % repeats
    arranged = torch.argsort(places // global_batch_size * repeats + takes, stable=True)
    images = permutation(num_samples, seed, passed, _ORDER)[in_pass // repeats][arranged]
    return images, random.combine(seed, passed, _AUGMENTATION, images, takes[arranged])
