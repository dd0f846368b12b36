"""Normalisation: one multiplication and one addition that equal the textbook formula."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms import functional as reference

from resnet_zoo.data.normalization import IMAGENET, Normalization, measure
from resnet_zoo.errors import InvalidValue

IMAGES = torch.randint(0, 256, (5, 7, 6, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("channels_last", [False, True])
def test_equals_torchvision(channels_last: bool) -> None:
    images = IMAGES.permute(0, 3, 1, 2)
    images = images if channels_last else images.contiguous()
    result = IMAGENET.apply(images)
    expected = reference.normalize(images / 255, list(IMAGENET.mean), list(IMAGENET.std))
    torch.testing.assert_close(result, expected, rtol=0, atol=2e-6)
    assert result.dtype == torch.float32
    assert result.is_contiguous(memory_format=torch.channels_last) is channels_last


@pytest.mark.parametrize("channels_last", [False, True])
def test_offsets_are_added_to_the_image_before(channels_last: bool) -> None:
    images = IMAGES.permute(0, 3, 1, 2)
    images = images if channels_last else images.contiguous()
    offsets = torch.rand(5, 3) / 10
    expected = reference.normalize(
        images / 255 + offsets[:, :, None, None], list(IMAGENET.mean), list(IMAGENET.std)
    )
    torch.testing.assert_close(IMAGENET.apply(images, offsets), expected, rtol=0, atol=3e-6)


def test_the_input_is_left_alone() -> None:
    images = IMAGES.permute(0, 3, 1, 2)
    before = images.clone()
    IMAGENET.apply(images)
    assert torch.equal(images, before)


def test_measured_images_come_out_with_mean_zero_and_variance_one() -> None:
    measured = measure(IMAGES)
    floats = IMAGES.double() / 255
    assert measured.mean == pytest.approx(floats.mean(dim=(0, 1, 2)).tolist(), rel=1e-12)
    assert measured.std == pytest.approx(floats.std(dim=(0, 1, 2), correction=0).tolist(), rel=1e-12)
    result = measured.apply(IMAGES.permute(0, 3, 1, 2))
    torch.testing.assert_close(result.mean(dim=(0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(result.var(dim=(0, 2, 3), correction=0), torch.ones(3), rtol=1e-5, atol=0)


def test_a_constant_channel_can_be_measured() -> None:
    images = IMAGES.clone()
    images[..., 1] = 51
    measured = measure(images)
    assert measured.mean[1] == pytest.approx(0.2)
    assert measured.std[1] == 1.0


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ((0.5, 0.5), (0.2, 0.2, 0.2), r"mean=\(0.5, 0.5\) has 2 values. Give three"),
        ((0.5, 0.5, 0.5), (0.2, 0.0, 0.2), r"std=\(0.2, 0.0, 0.2\) must be positive"),
    ],
)
def test_values_that_are_not_allowed(mean: tuple[float, ...], std: tuple[float, ...], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        Normalization(mean, std)  # type: ignore[arg-type]
