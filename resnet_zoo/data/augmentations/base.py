"""What an entry of ``augment`` is: something random that happens to training images, by each image's own seed.

There are three kinds, by where they run. Image augmentations take one image at a time, in the loader's workers.
Region augmentations and mixing take whole batches, on the training device.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from PIL import Image
from torch import Tensor

from resnet_zoo.data.checks import check_count
from resnet_zoo.data.random import SampleGenerator
from resnet_zoo.errors import InvalidValue


class Augmentation(ABC):
    """Base of everything that can stand in ``augment``.

    Attributes:
        paper: author, year, arXiv id and section it was taken from, for the documentation.
    """

    paper: ClassVar[str]

    def check(self, image_size: int) -> None:  # noqa: B027 - most fit images of any size
        """Refuse images it cannot be used on.

        Args:
            image_size: height and width of training images, in pixels.

        Raises:
            InvalidValue: it does not fit such images.
        """

    def __repr__(self) -> str:
        """As messages and ``explain`` show it; an augmentation keeps nothing but its options."""
        options = (f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({', '.join(options)})"


class ImageAugmentation(Augmentation):
    """Changes one image at a time, in a loader's worker: what depends on the picture, or would be slow in batches.

    It is a Pillow image that is passed from one to the next. All random parameters come from the generator.
    """

    @abstractmethod
    def __call__(self, image: Image.Image, generator: SampleGenerator) -> Image.Image:
        """An RGB image of the same size."""


class RegionAugmentation(Augmentation):
    """Changes a region of every image of a batch, on the device, after normalisation."""

    @abstractmethod
    def __call__(self, images: Tensor, seeds: Tensor, draw: int) -> Tensor:
        """The images with their regions changed; the tensor given may be written to.

        Args:
            images: float32 (b, 3, h, w), normalised, so that 0 is the data set's mean colour.
            seeds: int64 (b,), on the same device.
            draw: number of the first draw that is its own; 100 are.
        """


class Shares(NamedTuple):
    """How much of its partner each image of a batch receives, and where.

    Attributes:
        weights: float32 (b,), share of the image itself, in [0, 1].
        blend: float32 (b,), share of the image itself in every pixel; None if pixels are not blended.
        replaced: bool (b, h, w * 3), values of channels-last rows that are the partner's; None if none are replaced.
    """

    weights: Tensor
    blend: Tensor | None = None
    replaced: Tensor | None = None


class Mixing(Augmentation):
    """Mixes an image with a partner, and the loss with it.

    Args:
        alpha: both parameters of the Beta distribution that the image's own share is drawn from.
        probability: share of the images that are mixed in this way.
        images_per_share: how many images in a row of an update are mixed alike, in one way and by one share.

    Raises:
        InvalidValue: an alpha that is not positive, a probability outside (0, 1] or a count below 1.
    """

    def __init__(self, alpha: float, probability: float, images_per_share: int) -> None:
        if not alpha > 0:
            raise InvalidValue(
                f"{type(self).__name__}: alpha={alpha:g} is not allowed. Use more than 0, e.g. 1."
            )
        check_probability(self, "probability", probability)
        check_count(f"{type(self).__name__}: images_per_share", images_per_share)
        self.alpha = alpha
        self.probability = probability
        self.images_per_share = images_per_share

    @abstractmethod
    def shares(self, seeds: Tensor, draw: int, size: tuple[int, int], chosen: Tensor) -> Shares:
        """How the images would be mixed.

        Args:
            seeds: int64 (b,), equal for images that are mixed alike.
            draw: number of the first draw that is its own; 100 are.
            size: height and width of the images, in pixels.
            chosen: bool (b,), the images to be mixed in this way; the others keep their whole share.
        """


def check_probability(owner: Augmentation, name: str, value: float) -> None:
    """Refuse what is no probability, and 0, with which nothing would ever happen."""
    if not 0 < value <= 1:
        raise InvalidValue(
            f"{type(owner).__name__}: {name}={value:g} is not allowed. Use a share above 0 and up to 1, e.g. 0.5; "
            "leave the augmentation out to do without it."
        )
