"""One backbone under examination: how to build it, which images it takes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from resnet_zoo.registry import registry

_LARGE = 64
"""Images larger than this show nothing more about the rules and only cost time."""

_TRIED_SIZES = (64, 32, 224, 28, 8)


class Case:
    """A builder with its arguments, and what several rules need of it.

    Args:
        backbone: a registered name, an import path, or the builder itself.
        arguments: for the builder; all else keeps its default.
    """

    def __init__(self, backbone: str | Callable[..., nn.Module], **arguments: Any) -> None:
        entry = registry.resolve(backbone) if isinstance(backbone, str) else None
        self.builder: Any = entry.find() if entry else backbone
        self.name: str = entry.name if entry else getattr(backbone, "__name__", str(backbone))
        self.arguments = arguments
        self._usual_size: int | None = entry.figures.get("input_size") if entry else None

    def build(self, seed: int = 0, **more: Any) -> nn.Module:
        """A new net after ``torch.manual_seed(seed)``, leaving the caller's random state alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net: nn.Module = self.builder(**{**self.arguments, **more})
            return net

    @cached_property
    def fresh(self) -> nn.Module:
        """A net as the builder returns it, in eval mode; shared, so rules must not change it."""
        return self.build().eval()

    @cached_property
    def image_size(self) -> int:
        """The side of the images that the rules use.

        Raises:
            ValueError: the forward accepts none of the sizes tried; the text says what it raised.
        """
        usual = self._usual_size or getattr(self.fresh, "input_size", None)
        sizes = dict.fromkeys([min(usual, _LARGE), usual] if usual else _TRIED_SIZES)
        failures = []
        for size in sizes:
            try:
                self.features(self.fresh, self.images(2, size))
                return size
            except Exception as error:  # a plugin's forward may fail in any way
                failures.append(f"{size}x{size}: {type(error).__name__}: {error}")
        raise ValueError("no image size works. " + "; ".join(failures))

    def images(self, count: int, size: int | None = None, channels: int = 3, seed: int = 0) -> Tensor:
        """Normal noise (count, channels, size, size), the same for the same seed."""
        size = self.image_size if size is None else size
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(count, channels, size, size, generator=generator)

    @cached_property
    def settled(self) -> nn.Module:
        """A net that ``settle`` has prepared; shared, so rules must copy it to change it."""
        return self.settle(self.build())

    def settle(self, net: nn.Module) -> nn.Module:
        """Put a net into eval mode with running statistics that fit its inputs.

        Fresh running statistics (mean 0, variance 1) would let the activations of a deep residual net grow beyond
        float32 in eval mode; one training batch taken over whole gives it those that training would.
        """
        net.train()
        norms = [module for module in net.modules() if isinstance(module, _NormBase)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = 1.0
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            net(self.images(4))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        return net.eval()

    @cached_property
    def rounding(self) -> float:
        """How far features may differ, relative to the largest, because float32 sums are taken in another order.

        Deep nets without shortcuts amplify rounding errors; ten times the effect of changing the images in their
        sixth decimal allows for it.
        """
        images = self.images(2)
        noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(4))
        expected, disturbed = (
            self.features(self.settled, images),
            self.features(self.settled, images * (1 + 1e-6 * noise)),
        )
        return max(1e-4, 10 * difference(expected, disturbed))

    def settled_copy(self) -> nn.Module:
        """A copy of ``settled`` to change at will: a new net with its state."""
        net = self.build().eval()
        net.load_state_dict(copy.deepcopy(self.settled.state_dict()))
        return net

    @torch.no_grad()
    def features(self, net: Callable[[Tensor], Tensor], images: Tensor | None = None) -> Tensor:
        """What a net makes of images, by default of two."""
        return net(self.images(2) if images is None else images)


def listed(names: Iterable[str], most: int = 5) -> str:
    """Names for a message, shortened."""
    names = list(names)
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def difference(first: Tensor, second: Tensor) -> float:
    """Largest absolute difference, relative to the largest value of ``first``; NaN where either holds one."""
    scale = max(first.abs().max().item(), 1e-12)
    return (first.double() - second.double()).abs().max().item() / scale
