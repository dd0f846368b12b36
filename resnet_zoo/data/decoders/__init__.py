"""JPEG decoders behind one small interface, fastest first.

    libjpeg     the crop's rows and columns alone, by the libjpeg-turbo that comes with Pillow
    simplejpeg  the whole image, if the package is installed
    torchvision the whole image; always there

All three are libjpeg-turbo with its default, accurate settings, and give the same pixels (of CMYK, which they convert
to RGB themselves, within one level). What none of them takes is left to Pillow
(``decode.decode_crop``): other formats, and JPEGs that are damaged or out of the ordinary.
"""

from resnet_zoo.data.decoders.choice import available_decoders, unavailable_decoders, use_decoders
from resnet_zoo.data.decoders.interface import Decoder, Encoded
from resnet_zoo.data.decoders.jpeg_header import JpegHeader, read_jpeg_header

__all__ = [
    "Decoder",
    "Encoded",
    "JpegHeader",
    "available_decoders",
    "read_jpeg_header",
    "unavailable_decoders",
    "use_decoders",
]
