"""The size of one backbone as commands report it: counted with the usual head on one image of the usual size."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import Any

from torch import nn

from resnet_zoo.builders import Builder
from resnet_zoo.complexity import Complexity, measure_complexity
from resnet_zoo.entry import BackboneEntry
from resnet_zoo.errors import InvalidValue, UserMistake
from resnet_zoo.model import ImageModel

CHANNELS = 3
"""Of the images of every data set."""

USUAL_SIZES = (224, 32)
"""Image sizes tried, in this order, for a backbone that does not name its own."""

SMALL_IMAGES = 100
"""Below this many pixels a backbone is taken to be one for CIFAR's 10 classes, else for ImageNet's 1000."""


@dataclass(frozen=True)
class Measured:
    """A backbone with a head, and what one image costs.

    Attributes:
        model: backbone and head.
        image_size: side of the square image in pixels.
        complexity: the counts.
    """

    model: ImageModel
    image_size: int
    complexity: Complexity

    def figures(self, entry: BackboneEntry, builder: Builder) -> dict[str, Any]:
        """The record that ``list`` shows: family, parameters, multiply_adds, input_size, num_classes, paper."""
        return {
            "family": entry.figures.get("family") or entry.module.rpartition(".")[2],
            "parameters": self.complexity.parameters,
            "multiply_adds": self.complexity.multiply_adds,
            "input_size": self.image_size,
            "num_classes": self.model.head.out_features,
            "paper": entry.figures.get("paper") or _paper_in_docstrings(builder),
        }


def measure(
    entry: BackboneEntry,
    backbone: nn.Module,
    image_size: int | None = None,
    num_classes: int | None = None,
    in_channels: int = CHANNELS,
) -> Measured:
    """Count a backbone with its head.

    Args:
        entry: what is known of the backbone.
        backbone: the net, on any device.
        image_size: pixels; None for the size that the entry or the backbone's ``input_size`` names, or the first of
            ``USUAL_SIZES`` that its forward accepts.
        num_classes: logits; None for the entry's number, or that of the data set usual for the image size.
        in_channels: channels of the images.

    Raises:
        UserMistake: the forward accepts none of the sizes; its own words where it has some, else each failure.
    """
    known = image_size or entry.figures.get("input_size") or getattr(backbone, "input_size", None)
    device = next((parameter.device for parameter in backbone.parameters()), None)
    failures = []
    for size in [known] if known else USUAL_SIZES:
        classes = num_classes or entry.figures.get("num_classes") or (10 if size < SMALL_IMAGES else 1000)
        model = ImageModel(backbone, classes).to(device)
        try:
            return Measured(model, size, measure_complexity(model, size, in_channels))
        except Exception as error:  # the forward of a plugin may fail in any way
            if known and isinstance(error, UserMistake):
                raise
            failures.append(f"{size}x{size} pixels ({type(error).__name__}: {error})")
    raise InvalidValue(
        f"backbone {entry.name!r} does not accept images of {' nor '.join(failures)}. Give another --image-size."
    )


def _paper_in_docstrings(builder: Builder) -> str | None:
    """The first arXiv id in the docstring of the builder or of its module."""
    module = sys.modules.get(builder.__module__)
    for text in (builder.__doc__, module.__doc__ if module else None):
        found = re.search(r"arXiv:\d{4}\.\d{4,5}", text or "")
        if found:
            return found[0]
    return None
