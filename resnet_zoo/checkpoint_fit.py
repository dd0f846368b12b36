"""Whether a checkpoint belongs to a model, said before a shape error would say it."""

from __future__ import annotations

from typing import Any

from torch import nn

from resnet_zoo.errors import InvalidValue


def check_fits(model: nn.Module, checkpoint: dict[str, Any]) -> None:
    """Refuse a checkpoint of another number of classes or of another net.

    Args:
        model: has ``backbone`` and ``num_classes``.
        checkpoint: as it was read.

    Raises:
        InvalidValue: the text says what the checkpoint holds and what this model is.
    """
    saved, own = checkpoint["state_dict"], model.state_dict()
    weight = saved.get("head.weight")
    if weight is not None and weight.shape[0] != model.num_classes:
        raise InvalidValue(
            f"the checkpoint's head has {weight.shape[0]} classes, the data has {model.num_classes}. "
            "Evaluate it on data of the same classes, or start from its weights with --model.weights."
        )
    missing, unexpected = sorted(own.keys() - saved.keys()), sorted(saved.keys() - own.keys())
    shapes = sorted(key for key in own.keys() & saved.keys() if own[key].shape != saved[key].shape)
    if missing or unexpected or shapes:
        made_by = checkpoint.get("resnet_zoo", {}).get("backbone") or {"name": "an unknown backbone"}
        backbone: Any = model.backbone
        built_by: Any = getattr(backbone, "built_by", None) or {"name": type(backbone).__name__}
        found = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
        told = "; ".join(f"{len(keys)} {what}, e.g. {keys[0]}" for what, keys in found.items() if keys)
        raise InvalidValue(
            f"the checkpoint is of {made_by['name']}, which does not fit {built_by['name']} as configured "
            f"(tensors {told}). Use the config beside the checkpoint."
        )
