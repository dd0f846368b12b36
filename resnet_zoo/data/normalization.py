"""The normalisation that belongs to a data set: channel means and standard deviations, and their fast
application.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from resnet_zoo.errors import InvalidValue

Channels = tuple[float, float, float]


@dataclass(frozen=True)
class Normalization:
    """Mean and standard deviation per channel, in units of the full range (0 black, 1 white).

    Raises:
        InvalidValue: not three values each, or a standard deviation that is not positive.
    """

    mean: Channels
    std: Channels

    def __post_init__(self) -> None:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != 3:
                raise InvalidValue(
                    f"{name}={values} has {len(values)} values. Give three: red, green, blue, in 0..1."
                )
        if min(self.std) <= 0:
            raise InvalidValue(
                f"std={self.std} must be positive in every channel, in units of the full range 0..1."
            )

    def apply(self, images: Tensor, offsets: Tensor | None = None) -> Tensor:
        """``(images / 255 + offsets - mean) / std`` as one multiplication and one addition.

        Args:
            images: uint8 (b, 3, h, w), in any memory format.
            offsets: float32 (b, 3), added to every pixel of an image before normalisation, in units of the
                full range.

        Returns:
            float32 (b, 3, h, w) in the memory format of the input.
        """
        batch, _, height, width = images.shape
        # whole rows of w * 3 values if channels are innermost: short inner loops would not be vectorised
        repeats = width if images.is_contiguous(memory_format=torch.channels_last) else 1
        scale, shift, offset_scale = _constants(self, repeats, images.device)
        if offsets is not None:
            shift = torch.addcmul(shift, offsets.repeat(1, repeats), offset_scale)
        if repeats == 1:
            return images.to(torch.float32).mul_(scale.view(3, 1, 1)).add_(shift.view(-1, 3, 1, 1))
        rows = images.permute(0, 2, 3, 1).reshape(batch, height, width * 3).to(torch.float32)
        rows.mul_(scale).add_(shift.view(-1, 1, width * 3))
        return rows.view(batch, height, width, 3).permute(0, 3, 1, 2)


@lru_cache(maxsize=32)
def _constants(
    normalization: Normalization, repeats: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Factor and summand for pixels in 0..255, and factor for offsets in 0..1, each float32 (3 * repeats,)."""
    mean = torch.tensor(normalization.mean, dtype=torch.float64)
    std = torch.tensor(normalization.std, dtype=torch.float64)
    scale, shift, offset_scale = (
        values.float().repeat(repeats).to(device) for values in (1 / (255 * std), -mean / std, 1 / std)
    )
    return scale, shift, offset_scale


def measure(images: Tensor) -> Normalization:
    """Mean and standard deviation over all pixels of uint8 (n, h, w, 3), exact up to float64; a constant
    channel gets 1.
    """
    means, stds = [], []
    values = torch.arange(256, dtype=torch.float64) / 255
    for channel in range(3):
        counts = torch.bincount(images[..., channel].reshape(-1), minlength=256).double()
        mean = (counts * values).sum() / counts.sum()
        variance = (counts * (values - mean) ** 2).sum() / counts.sum()
        means.append(float(mean))
        stds.append(float(variance.sqrt()) or 1.0)
    return Normalization((means[0], means[1], means[2]), (stds[0], stds[1], stds[2]))


# Over the training images, all pixels alike, as in common use; ImageNet's as torchvision publishes them with
# its weights.
CIFAR10 = Normalization(mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))
CIFAR100 = Normalization(mean=(0.5071, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2762))
IMAGENET = Normalization(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
