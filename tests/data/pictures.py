"""Images that tests make themselves."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from resnet_zoo.data.decode import decode_image


def picture(seed: int, height: int = 40, width: int = 48) -> Image.Image:
    """A smooth coloured image: JPEG keeps it nearly as it is."""
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR)


def encoded(image: Image.Image, image_format: str = "JPEG", **options: Any) -> bytes:
    """An image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def decoded(path: Path | str) -> Tensor:
    """The pixels of an image file, uint8 (3, h, w)."""
    return decode_image(np.fromfile(path, dtype=np.uint8), str(path))
