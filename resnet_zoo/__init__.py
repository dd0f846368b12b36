"""resnet-zoo: residual networks, their ancestors and their rivals, trained from one command.

>>> import resnet_zoo as rz
>>> model = rz.create_model("resnet20_cifar", num_classes=10)    # images (b, 3, h, w) -> logits (b, 10)

Importing this package imports neither torch nor Lightning: the names below are looked up when first used, so that
commands which need no tensors answer at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resnet_zoo.model import ImageModel, create_backbone, create_model
    from resnet_zoo.registry import list_backbones, register_backbone

__version__ = "0.1.0"

__all__ = [
    "ImageModel",
    "__version__",
    "create_backbone",
    "create_model",
    "list_backbones",
    "register_backbone",
]

_HOME_OF_NAME = {
    "ImageModel": "resnet_zoo.model",
    "create_backbone": "resnet_zoo.model",
    "create_model": "resnet_zoo.model",
    "list_backbones": "resnet_zoo.registry",
    "register_backbone": "resnet_zoo.registry",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF_NAME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF_NAME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
