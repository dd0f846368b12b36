"""The forward pass of a module in segments of which only the inputs are kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from resnet_zoo.activation_checkpointing.earlier_buffers import EarlierBuffers
from resnet_zoo.errors import InvalidValue


class CheckpointedForward:
    """Takes the place of a module's ``forward``; in evaluation and without gradients it is the module's own.

    Args:
        part: the module; anything may go in and come out.
        segments: names of the modules of each segment of a plain sequence, by default as ``segments_of`` cuts it. Any
            other module is one segment.
    """

    def __init__(self, part: nn.Module, segments: Sequence[Sequence[str]] | None = None) -> None:
        self.part = part
        # Names, since a conversion to synchronised batch norm replaces modules later on.
        self.segments = segments_of(part) if segments is None else segments

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the module's own ``forward`` returns.

        Raises:
            InvalidValue: the module writes into its input, which would be lost for the second computation.
        """
        part = self.part
        whole = partial(type(part).forward, part)
        if not (part.training and torch.is_grad_enabled()):
            return whole(*args, **kwargs)
        if not self.segments:
            return self._run(whole, [part], *args, **kwargs)
        (value,) = args
        for names in self.segments:
            modules = [part.get_submodule(name) for name in names]
            value = self._run(partial(_in_turn, modules), modules, value)
        return value

    def _run(
        self, function: Callable[..., Any], modules: Sequence[nn.Module], *args: Any, **kwargs: Any
    ) -> Any:
        if torch.compiler.is_compiling():
            # The compiler computes again from a graph without side effects, so that no buffer needs protection.
            return checkpoint(function, *args, use_reentrant=False, **kwargs)
        given = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        versions = [value._version for value in given]
        buffers = EarlierBuffers(modules)
        result = checkpoint(function, *args, use_reentrant=False, context_fn=buffers.contexts, **kwargs)
        if versions != [value._version for value in given]:
            raise InvalidValue(
                f"activation_checkpointing: a segment of a {type(self.part).__name__} writes into its input, from "
                "which it is to be computed again. Make its first operation one that is not in place, or leave it out "
                "of activation_checkpointing."
            )
        return result


def _in_turn(modules: Sequence[nn.Module], value: Any) -> Any:
    for module in modules:
        value = module(value)
    return value


def segments_of(part: nn.Module) -> list[list[str]]:
    """Names of the modules of a plain sequence, in segments of about equally many layers; none for other modules.

    Of L layers with parameters there are about sqrt(L) segments (Chen et al. 2016, arXiv:1604.06174, section 4.1):
    their inputs are kept, and the sqrt(L) layers within one exist while its own backward pass lasts. A segment begins
    with a module that has parameters: an activation in place belongs to what it overwrites.
    """
    if not is_plain_sequence(part):
        return []
    # Not named_children, which leaves out a module that stands there a second time.
    everywhere = part.named_modules(remove_duplicate=False)
    children = {name: child for name, child in everywhere if name and "." not in name}
    layers = {name: sum(map(is_layer, child.modules())) for name, child in children.items()}
    whole = sum(layers.values())
    length = whole / max(1, round(math.sqrt(whole)))
    segments: dict[int, list[str]] = {}
    before = number = 0
    for name, count in layers.items():
        if count:
            number = int(before / length)
        segments.setdefault(number, []).append(name)
        before += count
    return list(segments.values())


def is_plain_sequence(module: nn.Module) -> bool:
    """Whether a module calls its children one after the other, and there are some."""
    return type(module).forward is nn.Sequential.forward and next(module.children(), None) is not None


def is_layer(module: nn.Module) -> bool:
    """Whether a module has parameters itself, not only in its children."""
    return next(module.parameters(recurse=False), None) is not None
