"""A network as the rows of a paper's architecture table (He et al. 2015, arXiv:1512.03385, table 1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from torch import nn

from resnet_zoo.complexity import Complexity
from resnet_zoo.model import ImageModel

_WAYS_AROUND = ("shortcut", "downsample")
"""Children of a block that the papers' tables leave out."""


@dataclass(frozen=True)
class LayerRow:
    """One part of a network.

    Attributes:
        part: "stem", "stage 1", ..., "head".
        output_size: height and width in pixels, or the number of features; empty where it is not known.
        layers: the layers in the paper's notation, as in ``[3x3, 64; 3x3, 64] x 2 blocks``.
        parameters: number of parameters; one that an earlier row has too is counted there.
        multiply_adds: multiply-adds for one image.
    """

    part: str
    output_size: tuple[int, ...]
    layers: str
    parameters: int
    multiply_adds: int


def layer_table(model: ImageModel, complexity: Complexity) -> list[LayerRow]:
    """Rows from the image to the logits; parameters and multiply-adds add up to the model's.

    A backbone gives one row for each of its top-level children, and one for each stage within ``stages``.
    """
    counted: set[int] = set()
    rows = []
    for part, path, module in _parts(model):
        own = [parameter for parameter in module.parameters() if id(parameter) not in counted]
        counted.update(map(id, own))
        size = complexity.output_size_of.get(path, ())
        rows.append(
            LayerRow(
                part=part,
                output_size=size[1:] if len(size) == 3 else size,
                layers=notation(module),
                parameters=sum(parameter.numel() for parameter in own),
                multiply_adds=complexity.multiply_adds_within(path),
            )
        )
    loose = [parameter for parameter in model.backbone.parameters() if id(parameter) not in counted]
    if loose:
        held = sum(parameter.numel() for parameter in loose)
        rows.insert(-1, LayerRow("(held by the net itself)", (), "", held, 0))
    return rows


def _parts(model: ImageModel) -> Iterator[tuple[str, str, nn.Module]]:
    for name, child in model.backbone.named_children():
        if name == "stages":
            for position, (key, stage) in enumerate(child.named_children(), start=1):
                yield f"stage {position}", f"backbone.stages.{key}", stage
        else:
            yield name, f"backbone.{name}", child
    yield "head", "head", model.head


def notation(module: nn.Module) -> str:
    """The convolutions, poolings and linear layers inside a module, equal neighbours as ``[...] x n``."""
    return "; ".join(_repeated(text, len(list(group))) for text, group in groupby(_layers(module, True)))


def _repeated(text: str, times: int) -> str:
    if text.startswith("["):
        return f"{text} x {times} block{'s' * (times > 1)}"
    return f"[{text}] x {times}" if times > 1 else text


def _layers(module: nn.Module, with_strides: bool) -> list[str]:
    """Texts of the layers; a module with a forward of its own is a block and becomes one text in brackets.

    Strides are shown outside of blocks only: the first block of a stage is otherwise like the others, and the sizes
    of the outputs tell where the resolution changes.
    """
    text = _layer(module, with_strides)
    if text is not None:
        return [text]
    if isinstance(module, nn.Sequential | nn.ModuleList):
        return [layer for child in module for layer in _layers(child, with_strides)]
    inside = [
        f"gate {layer}" if name.endswith("gate") else layer
        for name, child in module.named_children()
        if name not in _WAYS_AROUND
        for layer in _layers(child, False)
    ]
    return [f"[{'; '.join(inside)}]"] if inside else []


def _layer(module: nn.Module, with_strides: bool) -> str | None:
    match module:
        case nn.Conv1d() | nn.Conv2d() | nn.Conv3d() | nn.ConvTranspose2d():
            text = f"{_times(module.kernel_size)}, {module.out_channels}"
            text += f", {module.groups} groups" if module.groups > 1 else ""
            stride = _times(module.stride)
        case nn.Linear():
            return f"{module.out_features}-d fc"
        case nn.MaxPool2d() | nn.AvgPool2d():
            kind = "max" if isinstance(module, nn.MaxPool2d) else "average"
            text, stride = f"{_times(module.kernel_size)} {kind} pool", _times(module.stride)
        case nn.AdaptiveAvgPool2d():
            size = _times(module.output_size)
            return "global average pool" if size in ("1", "1x1") else f"average pool to {size}"
        case _:
            return None
    step = stride.partition("x")[0] if len(set(stride.split("x"))) == 1 else stride
    return f"{text}, stride {step}" if with_strides and step != "1" else text


def _times(size: object) -> str:
    """3 and (3, 3) as ``3x3``."""
    sides = size if isinstance(size, tuple) else (size, size)
    return "x".join(map(str, sides))
