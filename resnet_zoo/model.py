"""A backbone with a head: images in, logits out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from resnet_zoo.errors import InvalidValue
from resnet_zoo.registry import registry


class ImageModel(nn.Module):
    """Backbone, then one linear layer: images (b, in_channels, h, w) -> logits (b, num_classes).

    Its state-dict keys are ``backbone.*`` and ``head.*``.

    Args:
        backbone: images (b, in_channels, h, w) -> features (b, backbone.num_features).
        num_classes: number of logits, at least 1.

    Raises:
        InvalidValue: the backbone does not say its ``num_features``, or the number of classes is not positive.
    """

    def __init__(self, backbone: nn.Module, num_classes: int) -> None:
        super().__init__()
        if num_classes < 1:
            raise InvalidValue(
                f"num_classes={num_classes} is not allowed. Give the number of classes, 1 or more."
            )
        num_features = getattr(backbone, "num_features", None)
        if not isinstance(num_features, int):
            raise InvalidValue(
                f"{type(backbone).__name__} has num_features={num_features!r}. A backbone must have an int attribute "
                "'num_features', the width of what its forward returns. See docs/plugins.md."
            )
        self.backbone = backbone
        self.head = nn.Linear(num_features, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images (b, in_channels, h, w) -> logits (b, num_classes)."""
        logits: Tensor = self.head(self.backbone(images))
        return logits


def create_backbone(name: str, **arguments: Any) -> nn.Module:
    """Build a backbone: images (b, 3, h, w) -> features (b, backbone.num_features).

    Args:
        name: a registered name (``resnet-zoo list``), ``package/name``, or the import path of a builder.
        arguments: what the builder takes (``resnet-zoo describe NAME``).

    Raises:
        UnknownName: there is no such name; the nearest one is in the text.
        InvalidValue: the builder has no such argument, or several plugins offer the name.
        BrokenBackbone: the plugin behind the name cannot be imported.
    """
    backbone = registry.create(name, **arguments)
    if not isinstance(backbone, nn.Module):
        raise InvalidValue(
            f"backbone {name!r} returned {type(backbone).__name__}; it must return a torch nn.Module."
        )
    return backbone


def rebuild_backbone(
    built_by: Mapping[str, Any], allowed: str | None = None, option: str = "--backbone"
) -> nn.Module:
    """Build the backbone that a checkpoint says it holds.

    A name in a file is not the user's word: code at an import path runs only if the user names it as well.

    Args:
        built_by: its name and arguments.
        allowed: the name that the user gave.
        option: with which that is done.

    Raises:
        InvalidValue: it is code at an import path that was not allowed.
        UnknownName, InvalidValue, BrokenBackbone: as in ``create_backbone``.
    """
    name = built_by["name"]
    outside = set(".:") & set(name) and "/" not in name and name not in registry.names()
    if outside and name != allowed:
        raise InvalidValue(
            f"the checkpoint's backbone is code at the import path {name!r}, which runs only if you name it: "
            f"{option} {name}."
        )
    return create_backbone(name, **built_by["arguments"])


def create_model(
    name: str, num_classes: int, weights: str | None = None, **backbone_arguments: Any
) -> ImageModel:
    """Build a backbone with a linear head: images (b, 3, h, w) -> logits (b, num_classes).

    Args:
        name: as in ``create_backbone``.
        num_classes: number of logits.
        weights: None for the builder's initialisation, or a file to load: a checkpoint of a run, or a torchvision
            state dict (``.pth``).
        backbone_arguments: what the builder takes.

    Raises:
        UnknownName, InvalidValue, BrokenBackbone: as in ``create_backbone``; InvalidValue also where the weights do
            not fit the model.
        MissingData: there is no such weights file.
    """
    model = ImageModel(create_backbone(name, **backbone_arguments), num_classes)
    if weights is not None:
        from resnet_zoo.weights import load_into  # only those who load weights need the importers

        load_into(model, weights)
    return model
