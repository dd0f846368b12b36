"""Decoders: the pixels of Pillow in any box of any JPEG, and damage never taken for an image."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from resnet_zoo.data.crops import Box
from resnet_zoo.data.decode import UnreadableImage, decode_crop
from resnet_zoo.data.decoders import (
    JpegHeader,
    available_decoders,
    choice,
    read_jpeg_header,
    unavailable_decoders,
    use_decoders,
)
from resnet_zoo.data.decoders.interface import Encoded, NotAvailable
from resnet_zoo.data.decoders.region import RegionDecoder
from resnet_zoo.data.transforms import RandomResizedCrop
from resnet_zoo.errors import UnknownName
from tests.data.pictures import encoded, picture

HEIGHT, WIDTH = 93, 118  # no multiple of a block in either direction
BOXES = [
    Box(0, 0, 20, 30),
    Box(1, 1, 17, 40),
    Box(15, 16, 32, 33),
    Box(HEIGHT - 20, WIDTH - 25, 20, 25),
    Box(40, 50, 1, 1),
    Box(0, 60, HEIGHT, 30),
    Box(33, 0, 41, WIDTH),
]


def jpeg(**options: object) -> Encoded:
    """A photograph-like JPEG."""
    return np.frombuffer(encoded(picture(5, HEIGHT, WIDTH), **options), dtype=np.uint8).copy()


def by_pillow(content: Encoded) -> NDArray[np.uint8]:
    """All its pixels."""
    import io

    return np.asarray(Image.open(io.BytesIO(content.tobytes())).convert("RGB"))


@pytest.fixture
def region_decoder() -> RegionDecoder:
    """Partial decoding, where there is a library for it."""
    try:
        return RegionDecoder()
    except NotAvailable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [30, 90, 97])
def test_every_decoder_gives_the_pixels_of_pillow(subsampling: int, quality: int) -> None:
    content = jpeg(subsampling=subsampling, quality=quality)
    header, expected = read_jpeg_header(content), by_pillow(content)
    assert header is not None
    assert header.plain
    for decoder in available_decoders():
        for box in BOXES:
            pixels = decoder.decode_region(content, header, box)
            assert pixels is not None
            wanted = expected[box.top : box.top + box.height, box.left : box.left + box.width]
            assert np.array_equal(pixels, wanted), (decoder.name, box)


def test_partial_decoding_is_tried_first_and_torchvision_is_always_there(
    region_decoder: RegionDecoder,
) -> None:
    names = [decoder.name for decoder in available_decoders()]
    assert names[0] == region_decoder.name
    assert names[-1] == "torchvision"


@pytest.mark.parametrize(
    ("options", "plain"),
    [
        ({}, True),
        ({"optimize": True}, True),
        ({"exif": b"Exif\0\0" + bytes(3000), "icc_profile": bytes(70_000), "comment": b"hello"}, True),
        ({"restart_marker_rows": 1}, True),
        ({"progressive": True}, False),
    ],
)
def test_headers(options: dict[str, object], plain: bool) -> None:
    rows = 2 if plain else 1
    assert read_jpeg_header(jpeg(**options)) == JpegHeader(
        HEIGHT, WIDTH, complete=True, plain=plain, rows_at_once=rows
    )


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_only_three_components_are_plain(mode: str) -> None:
    content = np.frombuffer(encoded(picture(5, HEIGHT, WIDTH).convert(mode)), dtype=np.uint8)
    assert read_jpeg_header(content) == JpegHeader(HEIGHT, WIDTH, complete=True, plain=False)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\0\1", encoded(picture(5), "PNG")])
def test_what_is_no_jpeg_has_no_header(content: bytes) -> None:
    assert read_jpeg_header(np.frombuffer(content, dtype=np.uint8)) is None


def crop_of(content: Encoded, seed: int) -> torch.Tensor:
    """What training gets to see."""
    transform = RandomResizedCrop(32, scale=(0.05, 0.3))
    return decode_crop(
        content, "image.jpg", lambda height, width: transform.crop(height, width, seed)
    ).clone()


def test_a_truncated_file_is_an_error_wherever_the_crop_is() -> None:
    content = jpeg()
    for length in [*range(len(content) - 3, 30, -97), len(content) - 2]:
        padded = np.concatenate([content[:length], np.zeros(len(content) - length, np.uint8)])
        for cut_short in (content[:length], padded):
            for seed in range(3):
                with pytest.raises(UnreadableImage, match=r"image\.jpg"):
                    crop_of(cut_short, seed)
    assert crop_of(content, 0).shape == (3, 32, 32)


def test_bytes_after_the_end_do_no_harm() -> None:
    content = jpeg()
    longer = np.concatenate([content, np.full(300, 7, np.uint8)])
    assert torch.equal(crop_of(longer, 1), crop_of(content, 1))


def test_damage_never_ends_the_process_and_never_changes_pixels_silently(
    region_decoder: RegionDecoder,
) -> None:
    """Bytes changed at random, most of them in the header: partial decoding refuses, or agrees with the whole."""
    generator = random.Random(0)
    accepted = 0
    for original in (jpeg(), jpeg(optimize=True, subsampling=0), jpeg(restart_marker_rows=1)):
        for _ in range(700):
            content = original.copy()
            for _ in range(generator.randint(1, 3)):
                end = generator.choice([len(content), 700])
                content[generator.randrange(2, end)] = generator.randrange(256)
            header = read_jpeg_header(content)
            if header is None or not header.plain or header.height * header.width > 1 << 22:
                continue
            box = Box(
                header.height // 3, header.width // 4, (header.height + 2) // 3, (header.width + 1) // 2
            )
            pixels = region_decoder.decode_region(content, header, box)
            if pixels is None:
                continue
            whole = available_decoders()[-1].decode_region(content, header, box)
            assert whole is None or np.array_equal(pixels, whole)
            accepted += 1
    assert accepted > 300  # or the test would show nothing


def drop(marker: int) -> Callable[[Encoded], Encoded]:
    """Remove the first segment with this marker."""

    def change(content: Encoded) -> Encoded:
        position = 2
        while content[position + 1] != marker:
            position += 2 + int(content[position + 2]) * 256 + int(content[position + 3])
        end = position + 2 + int(content[position + 2]) * 256 + int(content[position + 3])
        return np.concatenate([content[:position], content[end:]])

    return change


@pytest.mark.parametrize("marker", [0xDB, 0xC4])
def test_an_image_without_all_its_tables_is_not_plain(marker: int) -> None:
    header = read_jpeg_header(drop(marker)(jpeg()))
    assert header is not None
    assert not header.plain


def test_a_damaged_image_leaves_nothing_behind(region_decoder: RegionDecoder) -> None:
    content, box = jpeg(), Box(10, 10, HEIGHT - 20, WIDTH - 20)
    header = read_jpeg_header(content)
    assert header is not None
    before = region_decoder.decode_region(content, header, box)
    assert before is not None
    before = before.copy()
    broken = content.copy()
    middle = (len(broken) + 600) // 2  # the end comes too early
    broken[middle : middle + 2] = 0xFF, 0xD9
    assert region_decoder.decode_region(broken, header, box) is None
    assert np.array_equal(region_decoder.decode_region(content, header, box), before)  # type: ignore[arg-type]


def test_without_partial_decoding_the_others_give_the_same_and_the_reason_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing() -> RegionDecoder:
        raise NotAvailable("no library here")

    expected = crop_of(jpeg(), 3)
    monkeypatch.setitem(choice._MAKERS, "libjpeg", missing)
    choice._made.cache_clear()
    try:
        assert unavailable_decoders()["libjpeg"] == "no library here"
        assert torch.equal(crop_of(jpeg(), 3), expected)
    finally:
        choice._made.cache_clear()


def test_decoders_can_be_chosen_by_name() -> None:
    with use_decoders("torchvision"):
        assert [decoder.name for decoder in available_decoders()] == ["torchvision"]
    with pytest.raises(UnknownName, match="torchvision"), use_decoders("torchvison"):
        pass
