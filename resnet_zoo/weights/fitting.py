"""Whether a checkpoint belongs to a model: checked before anything is loaded or made."""

from __future__ import annotations

from typing import Any

from torch import nn

from resnet_zoo.errors import InvalidValue


def check_fits(model: nn.Module, checkpoint: dict[str, Any], num_classes: int) -> None:
    """Refuse a checkpoint of another number of classes or of another net.

    Args:
        model: has ``backbone`` and ``head``; its tensors' names and shapes are compared.
        checkpoint: of a training run, with ``state_dict``.
        num_classes: of the data.

    Raises:
        InvalidValue: the text says what the checkpoint holds and what the model is.
    """
    saved, own = checkpoint["state_dict"], model.state_dict()
    weight = saved.get("head.weight")
    if weight is not None and weight.shape[0] != num_classes:
        raise InvalidValue(
            f"the checkpoint's head has {weight.shape[0]} classes, the data has {num_classes}. "
            "Evaluate it on data of the same classes, or start from its weights with --model.weights."
        )
    found = {
        "missing": sorted(own.keys() - saved.keys()),
        "unexpected": sorted(saved.keys() - own.keys()),
        "of another shape": sorted(
            key for key in own.keys() & saved.keys() if own[key].shape != saved[key].shape
        ),
    }
    if any(found.values()):
        made_by = checkpoint.get("resnet_zoo", {}).get("backbone") or {"name": "an unknown backbone"}
        built_by: Any = getattr(model.backbone, "built_by", None) or {"name": type(model.backbone).__name__}
        told = "; ".join(f"{len(keys)} {what}, e.g. {keys[0]}" for what, keys in found.items() if keys)
        raise InvalidValue(
            f"the checkpoint is of {made_by['name']}, which does not fit {built_by['name']} as configured "
            f"(tensors {told}). Use the config beside the checkpoint."
        )
