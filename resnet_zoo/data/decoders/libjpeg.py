"""The libjpeg-turbo that comes inside Pillow's wheels, called through ctypes.

It exports libjpeg's whole interface, that for decoding a part of an image included, which no Python package offers.
Nothing here is taken on trust: the version, the binary interface and the size of its structure are asked first, and
its pixels compared with Pillow's.
"""

from __future__ import annotations

import ctypes
import os
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import features

from resnet_zoo.data.decoders.interface import NotAvailable

_INTERFACE = 62  # JPEG_LIB_VERSION of libjpeg 6b, which Pillow's wheels are built with
_STRUCTURE_BYTES = 632  # of jpeg_decompress_struct in that interface, with pointers and longs of 64 bits
_MINIMUM_VERSION = (3, 0)  # older ones had faults in partial decoding
_ERROR_EXIT, _OUTPUT_MESSAGE, _WARNINGS = 0, 2, 16  # in words of 64 bits, in jpeg_error_mgr
_MESSAGE_NUMBER = 11  # in words of 32 bits, in jpeg_error_mgr
_OUTPUT_WIDTH = 34  # in words of 32 bits, in jpeg_decompress_struct

_Callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_POINTER, _INT, _UNSIGNED, _LONG = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint, ctypes.c_ulong
_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...] | None]] = {
    "jpeg_std_error": (_POINTER, (_POINTER,)),
    "jpeg_CreateDecompress": (None, (_POINTER, _INT, ctypes.c_size_t)),
    "jpeg_mem_src": (None, (_POINTER, _POINTER, _LONG)),
    "jpeg_read_header": (_INT, (_POINTER, _INT)),
    "jpeg_start_decompress": (_INT, (_POINTER,)),
    "jpeg_crop_scanline": (None, (_POINTER, _POINTER, _POINTER)),
    "jpeg_skip_scanlines": (_UNSIGNED, (_POINTER, _UNSIGNED)),
    "jpeg_read_scanlines": (_UNSIGNED, None),  # converted in advance
    "jpeg_abort_decompress": (None, (_POINTER,)),
    "jpeg_destroy_decompress": (None, (_POINTER,)),
}


def bundled_library() -> Path:
    """The library file that Pillow's wheel brought.

    Raises:
        NotAvailable: there is none, or its version is too old.
    """
    version = features.version("libjpeg_turbo")
    if version is None:
        raise NotAvailable("this Pillow was not built with libjpeg-turbo")
    if tuple(int(part) for part in version.split(".")[:2]) < _MINIMUM_VERSION:
        raise NotAvailable(f"Pillow's libjpeg-turbo is {version}, older than 3.0")
    package = Path(PIL.__file__).parent
    found = [
        *sorted(package.parent.glob("pillow.libs/libjpeg*")),
        *sorted(package.glob(".dylibs/libjpeg*")),
    ]
    if not found:
        raise NotAvailable("this Pillow has no libjpeg of its own (it was not installed from a wheel)")
    return found[0]


class LibJpeg:
    """The functions of a libjpeg.

    Loaded so that calls keep Python's lock: a row of pixels is decoded in a few microseconds, and giving the lock away
    for that costs more. Workers are processes, which do not share it.

    Args:
        path: of the library.

    Raises:
        NotAvailable: it cannot be loaded, or is another binary interface than the one known here.
    """

    def __init__(self, path: Path) -> None:
        if ctypes.sizeof(ctypes.c_void_p) != 8 or ctypes.sizeof(ctypes.c_long) != 8 or os.name != "posix":
            raise NotAvailable("libjpeg's structures are known for 64-bit Linux and macOS only")
        try:
            library = ctypes.PyDLL(str(path))
            for name, (result, arguments) in _FUNCTIONS.items():
                function = getattr(library, name)
                function.restype, function.argtypes = result, arguments
                setattr(self, name.removeprefix("jpeg_"), function)
        except (OSError, AttributeError) as error:
            raise NotAvailable(f"{path.name} is not the libjpeg known here: {error}") from error
        self._check_interface(path.name)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)  # tells the type checker that functions are set above

    def _check_interface(self, name: str) -> None:
        """Ask the library which structure it expects, by offering one that cannot be right."""
        structure, errors = Memory(4 * _STRUCTURE_BYTES), Memory(1024)
        complaints: list[int] = []

        def complain(pointer: int) -> None:
            complaints.append(int(errors.words32[_MESSAGE_NUMBER]))

        callback = _Callback(complain)
        self.std_error(errors.address)
        errors.words64[_ERROR_EXIT] = _address_of(callback)
        structure.words64[0] = errors.address
        self.CreateDecompress(structure.address, _INTERFACE, 1)
        self.destroy_decompress(structure.address)
        if complaints != [_STRUCTURE_BYTES]:
            raise NotAvailable(f"{name} has another binary interface than libjpeg {_INTERFACE}")


class Memory:
    """Zeroed memory for a C structure, seen as words.

    Args:
        size: in bytes, a multiple of 8.
    """

    def __init__(self, size: int) -> None:
        self.words64 = np.zeros(size // 8, dtype=np.uint64)
        self.words32 = self.words64.view(np.int32)
        self.address: int = self.words64.ctypes.data


class Decompressor:
    """One jpeg_decompress_struct with its error handler; for one thread.

    Args:
        library: that it belongs to.
    """

    def __init__(self, library: LibJpeg) -> None:
        self.library = library
        self._structure, self._errors = Memory(_STRUCTURE_BYTES), Memory(1024)
        self._crop = Memory(8)
        self._address = ctypes.c_void_p(self._structure.address)
        self._callbacks = (_Callback(_end_process), _Callback(_keep_silent))
        library.std_error(self._errors.address)
        for place, callback in zip((_ERROR_EXIT, _OUTPUT_MESSAGE), self._callbacks, strict=True):
            self._errors.words64[place] = _address_of(callback)
        self._structure.words64[0] = self._errors.address
        library.CreateDecompress(self.address, _INTERFACE, _STRUCTURE_BYTES)

    @property
    def address(self) -> int:
        """Of the structure."""
        return self._structure.address

    @property
    def warnings(self) -> int:
        """What libjpeg found wrong with the image since ``start``, and went on."""
        return int(self._errors.words64[_WARNINGS])

    def start(self, address: int, length: int) -> None:
        """Read the header of a JPEG, in memory at this address, and get ready to decode."""
        self.library.mem_src(self.address, address, length)
        self.library.read_header(self.address, 1)
        self.library.start_decompress(self.address)

    def crop_columns(self, left: int, width: int) -> tuple[int, int]:
        """Decode these columns only; returns left and width as they are to be, wider by part of a block."""
        self._crop.words32[:] = left, width
        self.library.crop_scanline(self.address, self._crop.address, self._crop.address + 4)
        assert int(self._structure.words32[_OUTPUT_WIDTH]) == int(self._crop.words32[1])
        return int(self._crop.words32[0]), int(self._crop.words32[1])

    def read_rows(self, rows: Rows, skipped: int, calls: int) -> int:
        """Skip rows, then decode so many times ``rows.at_once``; returns how many rows there were.

        A call hands out the rows that share their chroma and no more, so there are hundreds for an image. They are made
        without a loop in Python, and with arguments that are C's already.
        """
        if skipped:
            self.library.skip_scanlines(self.address, skipped)
        arguments = repeat(self._address), islice(rows.pointers, calls), repeat(rows.at_once)
        return sum(map(self.library.read_scanlines, *arguments))

    def abort(self) -> None:
        """Forget the image; warnings stay readable until the next."""
        self.library.abort_decompress(self.address)


class Rows:
    """A buffer for rows of pixels, in the form in which libjpeg wants it: pointers to them.

    Args:
        at_once: rows asked for in a call.
    """

    def __init__(self, at_once: int) -> None:
        self.at_once = ctypes.c_uint(at_once)
        self._step = at_once
        self._buffer = np.empty(0, dtype=np.uint8)
        self._addresses = np.empty(0, dtype=np.uint64)
        self.pointers: list[ctypes.c_void_p] = []

    def prepare(self, calls: int, stride: int) -> NDArray[np.uint8]:
        """The memory for that many times ``at_once`` rows of ``stride`` bytes: uint8 (rows, stride)."""
        count = calls * self._step
        if len(self._buffer) < count * stride:
            self._buffer = np.empty(count * stride, dtype=np.uint8)
        if len(self._addresses) < count:
            self._addresses = np.empty(count, dtype=np.uint64)
            begin = self._addresses.ctypes.data
            self.pointers = [ctypes.c_void_p(begin + 8 * row) for row in range(0, count, self._step)]
        first = self._buffer.ctypes.data
        self._addresses[:count] = np.arange(first, first + count * stride, stride, dtype=np.uint64)
        return self._buffer[: count * stride].reshape(count, stride)


def _address_of(callback: Any) -> int:
    return ctypes.cast(callback, ctypes.c_void_p).value or 0


def _keep_silent(pointer: int) -> None:
    """Libjpeg would print its warnings; they are counted instead."""


def _end_process(pointer: int) -> None:
    """What libjpeg does itself at a fatal error: it must not come back to where it was. Headers are checked so that
    nothing is left that could be fatal, except memory running out.
    """
    os.write(2, b"libjpeg cannot go on: probably out of memory.\n")
    os._exit(1)
