"""Models and data back from what a run directory holds."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

import resnet_zoo.data as data_sets
from resnet_zoo.data import ImageDataModule
from resnet_zoo.errors import InvalidValue, MissingData
from resnet_zoo.metrics import WeightsName
from resnet_zoo.model import ImageModel, rebuild_backbone
from resnet_zoo.safe_load import load_plain
from resnet_zoo.weights import choose_weights, load_into


@dataclass(frozen=True)
class SavedModel:
    """A checkpoint as a model.

    Attributes:
        model: with the checkpoint's weights, in evaluation mode on the CPU.
        built_by: name and arguments of its backbone.
        num_classes: of its head.
        class_names: as far as the checkpoint knows them.
    """

    model: ImageModel
    built_by: dict[str, Any]
    num_classes: int
    class_names: tuple[str, ...]

    @property
    def name(self) -> str:
        """The backbone's name with its arguments, for headings."""
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.built_by["arguments"].items())
        return f"{self.built_by['name']}({arguments})" if arguments else str(self.built_by["name"])


def load_model(
    checkpoint: Path, weights: WeightsName | None = None, allowed: str | None = None
) -> SavedModel:
    """Build the model that a checkpoint of ours says it is, and load its weights.

    Args:
        checkpoint: a ``.ckpt`` file that ``fit`` wrote.
        weights: its raw or its averaged ones; None for those that the run was judged by.
        allowed: the import path of code that the checkpoint may name as its backbone.

    Raises:
        MissingData: there is no such file.
        InvalidValue: the file is not a checkpoint of ours, names code that was not allowed, or has no averaged weights.
        UnknownName: its backbone is not registered here, for example because a plugin is missing.
    """
    if not checkpoint.is_file():
        raise MissingData(
            f"no checkpoint at '{checkpoint}'. A run keeps 'best.ckpt' and 'last.ckpt' in its 'checkpoints' folder."
        )
    content = load_plain(checkpoint, f"checkpoint '{checkpoint}'")
    saved = content.get("resnet_zoo") if isinstance(content, dict) else None
    if not isinstance(saved, dict) or not isinstance(saved.get("backbone"), dict):
        raise InvalidValue(
            f"'{checkpoint}' does not say how its backbone was built, so it is not a checkpoint that 'resnet-zoo fit' "
            "wrote. Give one of a run's 'checkpoints' folder."
        )
    built_by = saved["backbone"]
    model = ImageModel(rebuild_backbone(built_by, allowed), saved["num_classes"])
    load_into(model, checkpoint, choose_weights(content, weights, checkpoint))
    return SavedModel(model.eval(), built_by, saved["num_classes"], tuple(saved.get("class_names", ())))


def load_data(config: Path) -> ImageDataModule:
    """The data set of a run, from its ``config.yaml``.

    Raises:
        MissingData: there is no such config, or the data are not where it says.
    """
    if not config.is_file():
        raise MissingData(f"no config at '{config}': the folder holds no run.")
    described = yaml.safe_load(config.read_text(encoding="utf-8"))["data"]
    return build_data(described["class_path"], described.get("init_args") or {})


def build_data(class_path: str, arguments: dict[str, Any]) -> ImageDataModule:
    """A data set by its short name or import path."""
    if "." in class_path:
        module, _, name = class_path.rpartition(".")
        found = getattr(importlib.import_module(module), name)
    else:
        found = getattr(data_sets, class_path)
    data = found(**arguments)
    assert isinstance(data, ImageDataModule)
    return data


def best_device() -> torch.device:
    """A GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
