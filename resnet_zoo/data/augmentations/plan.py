"""What a data set's list of augmentations comes to: which run where, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from resnet_zoo.data import random
from resnet_zoo.data.augmentations.base import (
    Augmentation,
    ImageAugmentation,
    Mixing,
    RegionAugmentation,
    Shares,
)
from resnet_zoo.data.augmentations.mixing import mix
from resnet_zoo.data.batch import ImageBatch
from resnet_zoo.errors import InvalidValue

_KINDS = (ImageAugmentation, RegionAugmentation, Mixing)
_PLACES = (
    "single images, before they are normalised",
    "regions of normalised images",
    "pairs of images, last",
)

# Numbers of the draws made here, beyond those of crops (0 to 39), flip and colour noise (1000 to 1015).
_IMAGES, _REGIONS, _CHOICE, _MIXING = 10_000, 2000, 3000, 3100
_DRAWS_EACH = 100


class AugmentationPlan:
    """The augmentations of a list, in their order, sorted by the place where they run.

    Args:
        augmentations: those of single images first, then regions, then mixing.

    Raises:
        InvalidValue: an order that cannot be kept, mixing for more than all images, or for different numbers of images
            at a time.
    """

    def __init__(self, augmentations: Sequence[Augmentation] = ()) -> None:
        self.augmentations = tuple(augmentations)
        kinds = [_kind(each) for each in self.augmentations]
        for (first, one), (second, other) in pairwise(zip(self.augmentations, kinds, strict=True)):
            if one > other:
                raise InvalidValue(
                    f"augment: {type(first).__name__} is listed before {type(second).__name__}, but works on "
                    f"{_PLACES[one]}, and {type(second).__name__} on {_PLACES[other]}. List "
                    f"{type(second).__name__} first."
                )
        self.images = [each for each in self.augmentations if isinstance(each, ImageAugmentation)]
        self.regions = [each for each in self.augmentations if isinstance(each, RegionAugmentation)]
        self.mixing = [each for each in self.augmentations if isinstance(each, Mixing)]
        if sum(each.probability for each in self.mixing) > 1:
            names = " and ".join(type(each).__name__ for each in self.mixing)
            raise InvalidValue(
                f"augment: {names} have probabilities of "
                f"{' + '.join(f'{each.probability:g}' for each in self.mixing)}, but an image is mixed in one way at "
                "most. Give each a probability so that they add up to 1 or less, e.g. 0.5 each."
            )

        if len({each.images_per_share for each in self.mixing}) > 1:
            names = " and ".join(f"{type(each).__name__} for {each.images_per_share}" for each in self.mixing)
            raise InvalidValue(
                f"augment: images_per_share differs, {names} images. Images that have a share in common are also mixed "
                "in the same way. Give all the same number."
            )

    @property
    def images_per_share(self) -> int:
        """How many images in a row of an update are mixed alike; 1 if every image is mixed by itself."""
        return self.mixing[0].images_per_share if self.mixing else 1

    def check(self, image_size: int) -> None:
        """Refuse what does not fit images of this size."""
        for augmentation in self.augmentations:
            augmentation.check(image_size)

    def check_partners(self, global_batch_size: int, slots: int) -> None:
        """Refuse mixing where batches have only one image.

        Args:
            global_batch_size: images per update.
            slots: ranks times accumulated batches, which they are spread over.
        """
        if self.mixing and global_batch_size < 2 * slots:
            raise InvalidValue(
                f"augment: {type(self.mixing[0]).__name__} mixes two images of one rank's batch, which has only one: "
                f"global_batch_size={global_batch_size} over {slots} ranks and accumulated batches. Use {2 * slots} or "
                "more."
            )

    def on_device(self, batch: ImageBatch) -> ImageBatch:
        """Erase regions and mix pairs of a normalised training batch."""
        images, seeds = batch.images, batch.seeds
        assert seeds is not None
        for position, region in enumerate(self.regions):
            images = region(images, seeds, _REGIONS + _DRAWS_EACH * position)
        if not self.mixing:
            return batch._replace(images=images)
        shared = seeds if batch.share_seeds is None else batch.share_seeds
        images, mixture = mix(images, batch.labels, self._shares(shared, (images.shape[2], images.shape[3])))
        return batch._replace(images=images, mix=mixture)

    def _shares(self, seeds: Tensor, size: tuple[int, int]) -> Shares:
        """Every image, or all that have a seed in common, is mixed in one of the ways or, if their probabilities leave
        room, not at all.
        """
        chance = random.uniforms(seeds, _CHOICE)
        weights = torch.ones_like(chance)
        blend: Tensor | None = None
        replaced: Tensor | None = None
        passed = 0.0
        for position, mixing in enumerate(self.mixing):
            chosen = (chance >= passed) & (chance < passed + mixing.probability)
            passed += mixing.probability
            shares = mixing.shares(seeds, _MIXING + _DRAWS_EACH * position, size, chosen)
            weights = torch.where(chosen, shares.weights, weights)
            if shares.blend is not None:
                blend = shares.blend if blend is None else blend * shares.blend
            if shares.replaced is not None:
                replaced = shares.replaced if replaced is None else replaced | shares.replaced
        return Shares(weights, blend, replaced)

    def generator(self, seed: int, position: int) -> random.SampleGenerator:
        """The random numbers of one image for the image augmentation at a position of the list."""
        return random.SampleGenerator(seed, _IMAGES + 1000 * position)

    def lines(self, before_normalisation: object) -> list[str]:
        """What happens to training images, in order, and where; for ``explain``.

        Args:
            before_normalisation: what is done on the device before anything of this list.
        """
        on_device = (before_normalisation, *self.regions, *self.mixing)
        in_loader = [f"in the loader: {each!r}" for each in self.images]
        return in_loader + [f"on the device: {each!r}" for each in on_device]


def _kind(augmentation: Augmentation) -> int:
    """0 for single images, 1 for regions, 2 for mixing."""
    for number, kind in enumerate(_KINDS):
        if isinstance(augmentation, kind):
            return number
    raise InvalidValue(
        f"augment: {type(augmentation).__name__} is neither an ImageAugmentation nor a RegionAugmentation nor Mixing. "
        "Derive it from one of them."
    )
