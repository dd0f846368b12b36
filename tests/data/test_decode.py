"""Decoding: always RGB, the pixels that Pillow gives, and a clear error for what cannot be read."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from resnet_zoo.data.decode import UnreadableImage, decode_image, is_image_name
from resnet_zoo.data.decoders import available_decoders, use_decoders
from resnet_zoo.data.index import ImageIndex
from resnet_zoo.data.stores import Files
from resnet_zoo.errors import UserMistake
from tests.data.damage import png_of
from tests.data.pictures import encoded, picture

RGB = picture(1)
SIXTEEN_BITS = np.asarray(RGB.convert("L")).astype(np.uint16) * 257


def decoded(path: Path, content: bytes) -> Tensor:
    """What becomes of a file with this content."""
    return decode_image(np.frombuffer(bytearray(content), dtype=np.uint8), str(path))


def by_pillow(content: bytes, path: Path) -> Tensor:
    """The reference."""
    path.write_bytes(content)
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


@pytest.mark.parametrize(
    ("mode", "image_format"),
    [
        ("RGB", "JPEG"),
        ("L", "JPEG"),
        ("CMYK", "JPEG"),
        ("RGB", "PNG"),
        ("RGBA", "PNG"),
        ("L", "PNG"),
        ("LA", "PNG"),
        ("P", "PNG"),
        ("1", "PNG"),
        ("RGB", "BMP"),
        ("RGB", "TIFF"),
        ("RGB", "WEBP"),
        ("P", "GIF"),
        ("L", "PPM"),
    ],
)
def test_every_format_gives_the_pixels_of_pillow(mode: str, image_format: str, tmp_path: Path) -> None:
    content = encoded(RGB.convert(mode), image_format)
    image = decoded(tmp_path / "image", content)
    assert image.dtype == torch.uint8
    assert image.shape == (3, 40, 48)
    assert int((image.int() - by_pillow(content, tmp_path / "reference").int()).abs().max()) <= 1
    assert image.permute(1, 2, 0).is_contiguous()


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_sixteen_bits_keep_their_upper_byte(image_format: str, tmp_path: Path) -> None:
    image = decoded(tmp_path / "image", encoded(Image.fromarray(SIXTEEN_BITS), image_format))
    expected = torch.from_numpy((SIXTEEN_BITS >> 8).astype(np.uint8)).expand(3, -1, -1)
    assert torch.equal(image, expected)


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    content = encoded(RGB, "PNG")
    assert torch.equal(decoded(tmp_path / "image.JPEG", content), by_pillow(content, tmp_path / "image.png"))


def test_exif_rotation_is_not_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    assert decoded(tmp_path / "turned.jpg", encoded(RGB, exif=exif.tobytes())).shape == (3, 40, 48)


def test_transparency_is_dropped_not_blended(tmp_path: Path) -> None:
    transparent = RGB.convert("RGBA")
    transparent.putalpha(0)
    image = decoded(tmp_path / "image.png", encoded(transparent, "PNG"))
    assert torch.equal(image, torch.from_numpy(np.array(RGB)).permute(2, 0, 1))


DAMAGED = {
    "empty": (b"", "the file is empty"),
    "text": (b"this is not an image", "not an image of a known format"),
    "half a jpeg": (encoded(RGB)[: len(encoded(RGB)) // 2], "(?i)truncated"),
    "half a png": (encoded(RGB, "PNG")[:200], "(?i)truncated|broken"),
    "head of a jpeg": (encoded(RGB)[:20], "."),
    "a png without pixels": (png_of(40, 48), "."),  # ends the process in torchvision's decoder
    "a png with other pixels": (encoded(RGB, "PNG")[:60] + bytes(200) + encoded(RGB, "PNG")[260:], "."),
    "floats": (encoded(Image.fromarray(np.ones((4, 4), dtype=np.float32)), "TIFF"), "floating point"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damage_is_an_error_that_names_the_file(kind: str, tmp_path: Path) -> None:
    content, cause = DAMAGED[kind]
    path = tmp_path / "broken.jpg"
    with pytest.raises(UnreadableImage, match=cause) as caught:
        decoded(path, content)
    assert caught.value.path == str(path)
    assert str(caught.value).startswith(f"cannot read the image {str(path)!r}: ")
    assert isinstance(caught.value, UserMistake)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match="No such file"):
        Files(ImageIndex.of(str(tmp_path), [("", "absent.jpg", 0, 1)])).read(0)


def test_the_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(UnreadableImage("a/b.jpg", "why")))
    assert (error.path, error.cause) == ("a/b.jpg", "why")
    assert str(error) == str(UnreadableImage("a/b.jpg", "why"))
    assert str(error).startswith("cannot read the image 'a/b.jpg': why.")


def test_without_native_decoders_pillow_gives_the_same(tmp_path: Path) -> None:
    contents = [encoded(RGB.convert(mode)) for mode in ("RGB", "L", "CMYK")]
    native = [decoded(tmp_path / "image", content) for content in contents]
    with use_decoders():
        for content, expected in zip(contents, native, strict=True):
            assert int((decoded(tmp_path / "image", content).int() - expected.int()).abs().max()) <= 1


def test_the_native_decoder_is_there() -> None:
    """If this fails, torchvision has dropped its decoder: everything works on, but slower."""
    assert "torchvision" in [decoder.name for decoder in available_decoders()]


def test_names_of_images() -> None:
    assert all(map(is_image_name, ("a.jpg", "a.JPEG", "b.c.Png", "x.webp")))
    assert not any(map(is_image_name, ("a.txt", "jpg", "._a.jpg", ".jpg", "a.jpg.part")))
