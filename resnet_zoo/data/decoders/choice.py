"""Which decoders there are on this machine, and in which order they are asked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import cache

from resnet_zoo.data.decoders.interface import Decoder, NotAvailable
from resnet_zoo.data.decoders.region import RegionDecoder
from resnet_zoo.data.decoders.whole import SimplejpegDecoder, TorchvisionDecoder
from resnet_zoo.errors import unknown_name

_MAKERS: dict[str, Callable[[], Decoder]] = {
    maker.name: maker for maker in (RegionDecoder, SimplejpegDecoder, TorchvisionDecoder)
}
_chosen: list[tuple[str, ...]] = [tuple(_MAKERS)]


def available_decoders() -> tuple[Decoder, ...]:
    """The decoders that can be used here, in the order in which they are asked."""
    return _made(_chosen[-1])[0]


def unavailable_decoders() -> dict[str, str]:
    """The others, and why not."""
    return dict(_made(_chosen[-1])[1])


@contextlib.contextmanager
def use_decoders(*names: str) -> Iterator[None]:
    """Ask only these decoders, in this order, in this process and in those it starts: to compare them.

    Raises:
        UnknownName: there is no such decoder.
    """
    for name in names:
        if name not in _MAKERS:
            raise unknown_name("decoder", name, _MAKERS, "")
    _chosen.append(names)
    try:
        yield
    finally:
        _chosen.pop()


@cache
def _made(names: tuple[str, ...]) -> tuple[tuple[Decoder, ...], tuple[tuple[str, str], ...]]:
    made: list[Decoder] = []
    missing: list[tuple[str, str]] = []
    for name in names:
        try:
            made.append(_MAKERS[name]())
        except NotAvailable as reason:
            missing.append((name, str(reason)))
    return tuple(made), tuple(missing)
