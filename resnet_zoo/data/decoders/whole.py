"""Decoders of whole images, of which a box is a view."""

from __future__ import annotations

import importlib
import threading

import numpy as np
import torch
import torchvision.io  # registers the operators
from numpy.typing import NDArray

from resnet_zoo.data.crops import Box
from resnet_zoo.data.decoders.interface import Encoded, NotAvailable
from resnet_zoo.data.decoders.jpeg_header import JpegHeader

_RGB = torchvision.io.ImageReadMode.RGB.value


class TorchvisionDecoder:
    """``decode_jpeg`` of torchvision.

    The operator itself, because the function around it warns at every call since torchvision 0.29 that it will go one
    day. When it goes, Pillow takes over: slower, with the same pixels.

    Raises:
        NotAvailable: it has gone.
    """

    name = "torchvision"

    def __init__(self) -> None:
        self._decode = getattr(torch.ops.image, "decode_jpeg", None)
        if self._decode is None:
            raise NotAvailable("this torchvision has no decode_jpeg")

    def decode_region(self, encoded: Encoded, header: JpegHeader, box: Box) -> NDArray[np.uint8] | None:
        """Decode all of it, and cut the box out."""
        assert self._decode is not None
        try:
            image = self._decode(torch.from_numpy(encoded), _RGB, False)
        except RuntimeError:
            return None
        return _cut(image.permute(1, 2, 0).numpy(), box)


class SimplejpegDecoder:
    """The simplejpeg package, into a buffer that is used again.

    Raises:
        NotAvailable: it is not installed.
    """

    name = "simplejpeg"

    def __init__(self) -> None:
        try:
            self._decode = importlib.import_module("simplejpeg").decode_jpeg
        except ImportError as error:
            raise NotAvailable("the package simplejpeg is not installed") from error
        self._buffers = threading.local()

    def decode_region(self, encoded: Encoded, header: JpegHeader, box: Box) -> NDArray[np.uint8] | None:
        """Decode all of it, and cut the box out."""
        size = header.height * header.width * 3
        buffer = getattr(self._buffers, "buffer", None)
        if buffer is None or len(buffer) < size:
            buffer = self._buffers.buffer = np.empty(size, dtype=np.uint8)
        try:
            image: NDArray[np.uint8] = self._decode(encoded, "RGB", buffer=buffer)
        except ValueError:
            return None
        return _cut(image, box)


def _cut(image: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    return image[box.top : box.top + box.height, box.left : box.left + box.width]
