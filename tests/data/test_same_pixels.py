"""Every decoder and every crop: the pixels of Pillow's antialiased resize of the same box, to within rounding."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from resnet_zoo.data.crops import Crop
from resnet_zoo.data.decode import decode_crop
from resnet_zoo.data.decoders import available_decoders, use_decoders
from resnet_zoo.data.transforms import CenterCrop, Cropping, RandomResizedCrop, ScaleJitter
from tests.data.pictures import encoded, picture

MINIMUM_PSNR = 60.0  # decibels, on average over images
PHOTOGRAPHS = "RESNET_ZOO_PHOTOGRAPHS"
TRANSFORMS = [
    RandomResizedCrop(224),
    CenterCrop(224, 256),
    ScaleJitter(224),
    RandomResizedCrop(160, interpolation="bicubic"),
    CenterCrop(224, 235, interpolation="bicubic"),
    ScaleJitter(224, interpolation="bicubic"),
]


def reference(content: bytes, crop: Crop) -> NDArray[np.uint8]:
    """What Pillow makes of it."""
    image = Image.open(io.BytesIO(content)).convert("RGB")
    top, left, height, width = crop.source
    image = image.crop((left, top, left + width, top + height))
    image = image.resize((crop.resized[1], crop.resized[0]), Image.Resampling[crop.interpolation.upper()])
    top, left, height, width = crop.kept
    return np.asarray(image.crop((left, top, left + width, top + height)))


def mean_psnr(contents: list[bytes], transform: Cropping) -> float:
    """Peak signal to noise ratio against the reference, averaged over images; equal ones count as 100 dB."""
    values = []
    for seed, content in enumerate(contents):
        crops: list[Crop] = []

        def choose(height: int, width: int, seed: int = seed, crops: list[Crop] = crops) -> Crop:
            crops.append(transform.crop(height, width, seed))
            return crops[-1]

        own = decode_crop(np.frombuffer(content, dtype=np.uint8).copy(), "image.jpg", choose)
        error = own.permute(1, 2, 0).numpy().astype(np.float64) - reference(content, crops[-1])
        values.append(min(100.0, 10 * np.log10(255**2 / max(float((error**2).mean()), 1e-12))))
    return float(np.mean(values))


@pytest.mark.parametrize("decoder", [decoder.name for decoder in available_decoders()])
def test_pictures_keep_their_pixels(decoder: str) -> None:
    sizes = [(375, 500), (500, 333), (260, 300), (640, 480)]
    contents = [encoded(picture(seed, *size), quality=92) for seed, size in enumerate(sizes)]
    with use_decoders(decoder, "torchvision"):
        for transform in TRANSFORMS:
            assert mean_psnr(contents, transform) >= MINIMUM_PSNR


@pytest.mark.slow
@pytest.mark.skipif(PHOTOGRAPHS not in os.environ, reason=f"{PHOTOGRAPHS} names no folder of JPEG files")
@pytest.mark.parametrize("decoder", [decoder.name for decoder in available_decoders()])
def test_photographs_keep_their_pixels(decoder: str) -> None:
    files = sorted(Path(os.environ[PHOTOGRAPHS]).glob("*.[jJ][pP]*[gG]"))
    contents = [file.read_bytes() for file in files]
    assert contents
    with use_decoders(decoder, "torchvision"):
        for transform in TRANSFORMS:
            psnr = mean_psnr(contents, transform)
            print(f"{decoder}, {transform}: {psnr:.1f} dB over {len(contents)} photographs")
            assert psnr >= MINIMUM_PSNR
