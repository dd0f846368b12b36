"""Checkpoints of models that nobody trained, as ``fit`` saves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from resnet_zoo.model import create_model


def save_untrained(file: Path, name: str, **arguments: Any) -> None:
    """A checkpoint of a backbone with a head for ten classes, the same weights each time."""
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model = create_model(name, num_classes=10, **arguments)
    described = {"backbone": model.backbone.built_by, "num_classes": 10, "class_names": list("0123456789")}
    torch.save({"state_dict": model.state_dict(), "resnet_zoo": described, "epoch": 3}, file)
