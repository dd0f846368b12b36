"""What a JPEG decoder is asked for."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from resnet_zoo.data.crops import Box
from resnet_zoo.data.decoders.jpeg_header import JpegHeader

Encoded = np.ndarray[tuple[int], np.dtype[np.uint8]]
"""What a file would hold: uint8 (n,)."""


class Decoder(Protocol):
    """Decodes a box of a JPEG."""

    @property
    def name(self) -> str:
        """For messages, tables and settings."""

    def decode_region(self, encoded: Encoded, header: JpegHeader, box: Box) -> NDArray[np.uint8] | None:
        """The pixels of a box, as decoding the whole image would give them.

        Args:
            encoded: the JPEG.
            header: what ``read_jpeg_header`` found in it.
            box: inside the image.

        Returns:
            uint8 (box.height, box.width, 3), RGB: possibly a view into a buffer that the next call of this thread
            overwrites. None if this decoder leaves the image to others, because it is of a kind that it does not read
            or because something about it is not in order.
        """


class NotAvailable(Exception):
    """A decoder cannot be used here; the text says why."""
