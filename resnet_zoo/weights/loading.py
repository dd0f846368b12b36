"""Reading weights from files, without ever running code that a file may carry."""

import hashlib
import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from torch import Tensor, nn

from resnet_zoo.errors import InvalidValue, MissingData
from resnet_zoo.metrics import WeightsName
from resnet_zoo.safe_load import load_plain, unreadable
from resnet_zoo.weights.matching import load_exactly
from resnet_zoo.weights.selection import choose_weights, state_of
from resnet_zoo.weights.torchvision import from_torchvision

Kind = Literal["torchvision", "state_dict", "checkpoint"]


def load_into(model: nn.Module, path: str | Path, weights: WeightsName = "raw") -> None:
    """Load a model's weights from a file and note on the model where they came from.

    Args:
        model: backbone and head, as ``create_model`` makes it; changed in place, and only if everything fits.
            ``model.weights_from`` becomes ``{"path": ..., "sha256": ..., "kind": ...}``.
        path: a state dict of torchvision's network of that name, a state dict of this model, or the checkpoint of a
            run; saved by ``torch.save`` or, for state dicts, as ``.safetensors``.
        weights: the raw or the averaged ones of a checkpoint that has both.

    Raises:
        MissingData: there is no such file.
        InvalidValue: the file cannot be read, is no set of weights, carries pickled objects, or does not fit.
    """
    state_dict, kind = read_state_dict(path, weights)
    try:
        if kind == "torchvision":
            from_torchvision(state_dict, model)
        else:
            load_exactly(model, state_dict, {key: key for key in model.state_dict()})
    except InvalidValue as mistake:
        raise InvalidValue(f"weights file {str(path)!r}: {mistake}") from None
    provenance = {"path": str(Path(path).absolute()), "sha256": sha256(Path(path)), "kind": kind}
    object.__setattr__(model, "weights_from", provenance)


def read_state_dict(path: str | Path, weights: WeightsName = "raw") -> tuple[dict[str, Tensor], Kind]:
    """The tensors of a weights file on the CPU, and what kind of file it is.

    Raises:
        MissingData: there is no such file.
        InvalidValue: the file cannot be read, is no set of weights, holds no averaged ones though they are asked for,
            or carries pickled objects.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise MissingData(f"weights file {str(path)!r} {what}. Give a .pth, .ckpt or .safetensors file.")
    described = f"weights file {str(path)!r}"
    content = read_safetensors(path) if path.suffix == ".safetensors" else load_plain(path, described)
    kind: Kind = "torchvision"
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content, kind = state_of(content, choose_weights(content, weights, path)), "checkpoint"
    if (
        not isinstance(content, Mapping)
        or not content
        or not all(is_named_tensor(*item) for item in content.items())
    ):
        holds = (
            f"a dict with the keys {list(content)[:5]}"
            if isinstance(content, dict)
            else type(content).__name__
        )
        raise InvalidValue(
            f"weights file {str(path)!r} holds no state dict, names with their tensors, but {holds}. "
            "Save model.state_dict(), or give the checkpoint of a run."
        )
    if kind != "checkpoint" and any(key.startswith("backbone.") for key in content):
        kind = "state_dict"
    return dict(content), kind


def is_named_tensor(name: object, value: object) -> bool:
    """Whether an entry of a dict is what a state dict is made of."""
    return isinstance(name, str) and isinstance(value, Tensor)


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors`` file.

    Raises:
        InvalidValue: the file cannot be read, or the package that reads it is not installed.
    """
    if importlib.util.find_spec("safetensors") is None:
        raise InvalidValue(
            f"weights file {str(path)!r} needs the package safetensors, which is not installed. "
            "Install it ('pip install safetensors') or give a .pth file."
        )
    try:
        tensors: dict[str, Tensor] = importlib.import_module("safetensors.torch").load_file(path)
    except Exception as error:  # the package has its own error class, and raises others for damaged headers
        raise unreadable(path, f"weights file {str(path)!r}", error) from error
    return tensors


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
