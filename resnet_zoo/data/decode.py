"""From an image file to pixels: always uint8 RGB, whatever the file holds.

JPEG goes through the decoders of ``decoders``, everything else (and what those leave) through Pillow. Not PNG:
torchvision's decoder ends the process (SIGSEGV, seen with 0.29) on files whose damage libpng notices. The content
decides, not the file's name: ImageNet has a PNG in a ``.JPEG`` name. Greyscale is repeated, CMYK converted, 16 bits
cut to their upper 8, transparency dropped, the first frame of an animation taken. EXIF rotation is not applied, as is
ImageNet's practice.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from resnet_zoo.data.crops import Crop, whole
from resnet_zoo.data.decoders import Encoded, available_decoders, read_jpeg_header
from resnet_zoo.errors import UserMistake

IMAGE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


class UnreadableImage(UserMistake):
    """An image file that cannot be read or decoded.

    Attributes:
        path: of the file.
        cause: why, in the words of whoever failed.
    """

    def __init__(self, path: str, cause: str) -> None:
        super().__init__(
            f"cannot read the image {path!r}: {cause}. 'resnet-zoo data check' finds all such files; a training leaves "
            "out up to bad_image_budget of them."
        )
        self.path = path
        self.cause = cause

    def __reduce__(self) -> tuple[type[UnreadableImage], tuple[str, str]]:
        return type(self), (self.path, self.cause)  # so that it crosses from a worker process unchanged


def decode_image(content: Encoded, path: str) -> Tensor:
    """The pixels of an encoded image.

    Args:
        content: uint8 (n,), what a file would hold.
        path: to be named if it cannot be decoded.

    Returns:
        uint8 (3, h, w), channels-last in memory.

    Raises:
        UnreadableImage: it is empty, cut short or not an image.
    """

    def everything(height: int, width: int) -> Crop:
        return Crop(whole(height, width), (height, width), whole(height, width))

    return decode_crop(content, path, everything).clone()


def decode_crop(
    content: NDArray[np.uint8], path: str, choose: Callable[[int, int], Crop], out: Tensor | None = None
) -> Tensor:
    """What a crop makes of an encoded image, or of one whose pixels are there already.

    Args:
        content: uint8 (n,), what a file would hold, or uint8 (h, w, 3), pixels.
        path: to be named if it cannot be decoded.
        choose: says what becomes of an image of a given height and width.
        out: uint8 (3, kept.height, kept.width), channels-last in memory, to write the result to.

    Returns:
        uint8 (3, kept.height, kept.width): ``out``, if it is given. Without it, this may be a view of a buffer that the
        next call of this thread overwrites.

    Raises:
        UnreadableImage: it is empty, cut short or not an image.
    """
    if content.ndim == 3:
        pixels = torch.from_numpy(content).permute(2, 0, 1)
        return choose(pixels.shape[1], pixels.shape[2]).apply(pixels, out)
    header = read_jpeg_header(content)
    if header is not None and header.complete:
        crop = choose(header.height, header.width)
        for decoder in available_decoders():
            decoded = decoder.decode_region(content, header, crop.region())
            if decoded is not None:
                return crop.apply_to_region(torch.from_numpy(decoded).permute(2, 0, 1), out)
    with naming_the_image(path):
        if not len(content):
            raise ValueError("the file is empty")
        if header is not None and not header.complete:  # Pillow would not mind an end that is missing alone
            raise ValueError("the image is truncated: its end is missing")
        image = _decode_with_pillow(content.tobytes())
    return choose(image.shape[1], image.shape[2]).apply(image, out)


@contextlib.contextmanager
def naming_the_image(path: str) -> Iterator[None]:
    """Turns whatever a decoder raises, which is nearly anything on damaged input, into an ``UnreadableImage``."""
    try:
        yield
    except UnidentifiedImageError as error:  # names an object in memory
        raise UnreadableImage(path, "not an image of a known format") from error
    except Exception as error:
        raise UnreadableImage(path, str(error).strip().rstrip(".") or type(error).__name__) from error


def _upper_byte(image: Tensor) -> Tensor:
    return (image.to(torch.int32) >> 8).to(torch.uint8)


def _decode_with_pillow(content: bytes) -> Tensor:
    with Image.open(io.BytesIO(content)) as image:
        if image.mode == "F":
            raise ValueError("pixels of floating point have no range that could be shown")
        if image.mode.startswith("I"):  # 16 bits, which Pillow's own conversion would clip instead of scale
            grey = torch.from_numpy(np.asarray(image).astype(np.int32)).clamp(0, 0xFFFF)
            return _upper_byte(grey).unsqueeze(-1).expand(-1, -1, 3).contiguous().permute(2, 0, 1)
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


def is_image_name(name: str) -> bool:
    """Whether a file of this name counts as an image; hidden files never do (archives leave ``._name.jpg``
    behind).
    """
    return not name.startswith(".") and name.lower().endswith(IMAGE_EXTENSIONS)
