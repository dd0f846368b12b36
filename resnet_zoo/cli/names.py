"""Short names of configs and the command line, and the import paths behind them.

``resnet50`` stands for ``resnet_zoo.backbones.resnet50`` and ``ImageNet`` for ``resnet_zoo.data.ImageNet``; a dotted
path is taken as it is. Errors carry the nearest names.
"""

from __future__ import annotations

import importlib
import inspect
from importlib.util import find_spec
from typing import Any

import torch.optim

from resnet_zoo import data, optim
from resnet_zoo.cli.arguments import NamedKeys
from resnet_zoo.errors import UnknownName, unknown_name
from resnet_zoo.registry import registry

_BACKBONES = "resnet_zoo.backbones."
_EXTRAS = ("timm",)
"""Packages that are an extra of ours."""


def backbone_path(name: str) -> str:
    """The import path of a backbone: of a registered name, ``package/name``, or an import path.

    Raises:
        UnknownName: nothing of that name is registered, or nothing can be imported from that path.
    """
    return registry.resolve(name).import_path


def data_path(name: str) -> str:
    """The import path of a data module: ``ImageNet`` or an import path."""
    return _class_path(name, "data set", "resnet_zoo.data", data, data.ImageDataModule)


def schedule_path(name: str) -> str:
    """The import path of a learning-rate schedule: ``CosineSchedule`` or an import path."""
    return _class_path(name, "learning-rate schedule", "resnet_zoo.optim", optim, optim.Schedule)


def optimizer_path(name: str) -> str:
    """The import path of an optimizer: ``SGD`` for torch's own, or an import path such as ``timm.optim.Lamb``.

    Raises:
        UnknownName: torch has none of that name, or nothing can be imported from that path.
    """
    if "." in name:
        path = name.rpartition(".")[0]
        package = path.partition(".")[0]
        if find_spec(package) is None:
            advice = f"pip install 'resnet-zoo[{package}]'" if package in _EXTRAS else f"Install {package}"
            raise UnknownName(
                f"no optimizer at {name!r}: {package} is not installed. {advice}, or use torch.optim."
            )
        _imported(name, "optimizer", f"See torch.optim, and {path} for its own.")
        return name
    offered = sorted(
        key
        for key, found in vars(torch.optim).items()
        if isinstance(found, type) and issubclass(found, torch.optim.Optimizer)
    )
    if name not in offered:
        raise unknown_name(
            "optimizer in torch.optim", name, offered, "Others go by import path, e.g. timm.optim.Lamb."
        )
    return f"torch.optim.{name}"


def augmentation_path(name: str) -> str:
    """The import path of an augmentation: ``RandAugment`` or an import path."""
    module = data.augmentations
    return _class_path(name, "augmentation", module.__name__, module, module.Augmentation)


NAMED_KEYS: NamedKeys = {
    "model.backbone": backbone_path,
    "model.lr_schedule": schedule_path,
    "model.optimizer": optimizer_path,
    "data": data_path,
    "data.augment[]": augmentation_path,
}


def _class_path(name: str, kind: str, package: str, module: Any, base: type) -> str:
    offered = sorted(
        key
        for key in module.__all__
        if isinstance(found := getattr(module, key), type)
        and issubclass(found, base)
        and found is not base
        and not inspect.isabstract(found)
    )
    if name in offered:
        return f"{package}.{name}"
    if "." not in name:
        raise unknown_name(kind, name, offered, list_all=True)
    found = _imported(name, kind, f"Known: {', '.join(offered)}.")
    if not (isinstance(found, type) and issubclass(found, base)):
        raise UnknownName(f"{name!r} is no {kind}: it is not a subclass of {package}.{base.__name__}.")
    return name


def _imported(name: str, kind: str, next_step: str) -> Any:
    path, _, last = name.rpartition(".")
    try:
        return getattr(importlib.import_module(path), last)
    except (ImportError, AttributeError) as error:
        raise UnknownName(f"no {kind} at {name!r}: {error}. {next_step}") from error


def short_names(values: Any) -> Any:
    """A resolved config with import paths of ours turned back into the names that users write."""
    if isinstance(values, dict):
        return {key: short_names(value) for key, value in values.items()}
    if isinstance(values, list):
        return [short_names(value) for value in values]
    if isinstance(values, str):
        for module in (data, data.augmentations, optim):
            last = values.rpartition(".")[2]
            if values.startswith(f"{module.__name__}.") and last in module.__all__:
                return last
        return values.removeprefix(_BACKBONES)
    return values
