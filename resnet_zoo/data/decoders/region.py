"""Decoding the rows and columns of a crop alone, by libjpeg-turbo's partial decoding.

All entropy-coded data up to the last row wanted has to be read, but what takes up the other third of the time
(transform, chroma upsampling, colour) is done for the crop only.
"""

from __future__ import annotations

import io
import threading

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet_zoo.data.crops import Box
from resnet_zoo.data.decoders.interface import Encoded, NotAvailable
from resnet_zoo.data.decoders.jpeg_header import JpegHeader, read_jpeg_header
from resnet_zoo.data.decoders.libjpeg import Decompressor, LibJpeg, Rows, bundled_library

MARGIN = 2  # columns on both sides: chroma is upsampled from its neighbours, which the first and last lack
WORTHWHILE = 0.9  # share of the image from which one call for all of it is faster than many for rows


class RegionDecoder:
    """Decodes a box of a plain JPEG.

    Raises:
        NotAvailable: there is no library that can, or it does not give Pillow's pixels.
    """

    name = "libjpeg"

    def __init__(self) -> None:
        self._library = LibJpeg(bundled_library())
        self._threads = threading.local()
        self._check_pixels()

    def decode_region(self, encoded: Encoded, header: JpegHeader, box: Box) -> NDArray[np.uint8] | None:
        """Decode the rows and columns of the box.

        None for JPEGs that are not plain, for boxes that are nearly the whole image, and if anything in the data is
        not in order, as where it was cut short.
        """
        if not header.plain or box.height * box.width > WORTHWHILE * header.height * header.width:
            return None
        return self._decode(encoded, header, box)

    def _decode(self, encoded: Encoded, header: JpegHeader, box: Box) -> NDArray[np.uint8] | None:
        decompressor, rows = self._of_this_thread(header.rows_at_once)
        top = box.top - box.top % header.rows_at_once
        calls = -(-(box.top + box.height - top) // header.rows_at_once)
        left = max(0, box.left - MARGIN)
        width = min(header.width, box.left + box.width + MARGIN) - left
        try:
            decompressor.start(encoded.ctypes.data, len(encoded))
            left, width = decompressor.crop_columns(left, width)
            buffer = rows.prepare(calls, 3 * width)
            decoded = decompressor.read_rows(rows, top, calls)
        finally:  # also after Ctrl-C: the next image may not begin in the middle of this one
            decompressor.abort()
        if decompressor.warnings or decoded != min(calls * header.rows_at_once, header.height - top):
            return None
        pixels = buffer.reshape(len(buffer), width, 3)[box.top - top :, box.left - left :]
        return pixels[: box.height, : box.width]

    def _of_this_thread(self, rows_at_once: int) -> tuple[Decompressor, Rows]:
        mine = self._threads.__dict__
        if not mine:
            mine["decompressor"] = Decompressor(self._library)
            mine["rows"] = {number: Rows(number) for number in (1, 2)}
        return mine["decompressor"], mine["rows"][rows_at_once]

    def _check_pixels(self) -> None:
        """Decode a box out of a small image, and compare it with the same box of Pillow's."""
        grid = np.add.outer(3 * np.arange(48), 5 * np.arange(64)).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(np.stack([grid, grid.T.reshape(grid.shape), 255 - grid], axis=-1)).save(
            buffer, "JPEG"
        )
        encoded = np.frombuffer(buffer.getvalue(), dtype=np.uint8)
        header, box = read_jpeg_header(encoded), Box(17, 21, 20, 22)
        assert header is not None
        own = self._decode(encoded, header, box)
        expected = np.asarray(Image.open(buffer))[17:37, 21:43]
        if own is None or not np.array_equal(own, expected):
            raise NotAvailable("partial decoding does not give Pillow's pixels here")
