"""Backbones on whole images of any size: fully convolutional evaluation (Simonyan & Zisserman 2014, section 3.2).

A net that ends with global average pooling is fully convolutional as it is. One with hidden fully connected layers can
apply them as convolutions; it offers a switch ``dense``, off by default, as VGG does.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from resnet_zoo.errors import InvalidValue

_SAME = 1e-3  # of the largest feature: what the order of summation may change


def has_switch(backbone: nn.Module) -> bool:
    """Whether a backbone can apply its fully connected layers as convolutions."""
    return isinstance(getattr(backbone, "dense", None), bool)


@contextmanager
def fully_convolutional(backbone: nn.Module) -> Iterator[None]:
    """Fully connected layers are convolutions while the context lasts, in a backbone that has the switch."""
    if not has_switch(backbone):
        yield
        return
    switch(backbone, on=True)
    try:
        yield
    finally:
        switch(backbone, on=False)


def switch(backbone: nn.Module, *, on: bool) -> None:
    """Turn the switch of a backbone that has one."""
    backbone.dense = on  # type: ignore[assignment]


def check_fully_convolutional(backbone: nn.Module, image_size: int, smallest: int) -> None:
    """Refuse a backbone that cannot see whole images, or would be another net there; decided by trying it.

    Args:
        backbone: images (b, 3, h, w) to features (b, num_features).
        image_size: side of the square images that it was trained on, in pixels.
        smallest: the shortest side of the images it is to see.

    Raises:
        InvalidValue: with the name of the backbone and the reason.
    """
    built_by = getattr(backbone, "built_by", None) or {"name": type(backbone).__name__}
    refused = f"backbone '{built_by['name']}' cannot be tested on whole images"
    pools = [module for module in backbone.modules() if isinstance(module, nn.AdaptiveAvgPool2d)]
    if not has_switch(backbone) and any(pool.output_size not in (1, (1, 1)) for pool in pools):
        raise InvalidValue(
            f"{refused}: it averages the feature map to a fixed size, which would distort them. Use the protocol "
            "'center' or 'ten_crop', or give the backbone a switch 'dense' as VGG has it."
        )
    training = backbone.training
    try:
        usual, dense = _try(backbone.eval(), image_size, smallest)
    except (RuntimeError, ValueError) as error:
        raise InvalidValue(f"{refused}: {error}") from error
    finally:
        backbone.train(training)
    if not torch.allclose(usual, dense, rtol=_SAME, atol=_SAME * float(usual.abs().max())):
        raise InvalidValue(
            f"{refused}: at {image_size}x{image_size} pixels, where it was trained, its fully connected layers do not "
            "see the feature map as it is, so that it would be another net as convolutions."
        )


@torch.no_grad()
def _try(backbone: nn.Module, image_size: int, smallest: int) -> tuple[Tensor, Tensor]:
    """Features of an image of the usual size as ever and fully convolutionally; an oblong image must pass as well."""
    weight = next(backbone.parameters())
    noise = torch.rand(1, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))
    images = noise.to(weight.device, weight.dtype)
    usual: Tensor = backbone(images)
    with fully_convolutional(backbone):
        dense: Tensor = backbone(images)
        backbone(images.new_zeros(1, 3, smallest, smallest + smallest // 2))
    return usual, dense
