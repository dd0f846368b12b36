"""Whether tensors belong to a model: every name and every shape agrees, or the text says which do not."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from resnet_zoo.errors import InvalidValue

SHOWN = 5
COUNTER = "num_batches_tracked"


def load_exactly(model: nn.Module, state_dict: Mapping[str, Tensor], source_names: Mapping[str, str]) -> None:
    """Copy a state dict into a model, bit for bit.

    Args:
        model: changed in place, and only if everything fits.
        state_dict: tensors under the names of their source.
        source_names: the source's name for each key of the model's own state dict.

    Raises:
        InvalidValue: names are missing, unexpected, or their shapes differ; the text lists both sides.
    """
    expected = {source_names[key]: tensor for key, tensor in model.state_dict().items()}
    given = with_counters(state_dict, expected)
    complaint = differences(expected, given, "weights")
    if complaint:
        what = getattr(model.get_submodule("backbone"), "built_by", {}).get("name", type(model).__name__)
        raise InvalidValue(f"the weights do not fit {what!r}: {complaint}.{hint(expected, given)}")
    model.load_state_dict({key: given[name] for key, name in source_names.items()})


def check_fits(model: nn.Module, checkpoint: Mapping[str, Any], num_classes: int) -> None:
    """Refuse a checkpoint of another number of classes or of another net, before anything is loaded or made.

    Args:
        model: has ``backbone`` and ``head``; its tensors' names and shapes are compared.
        checkpoint: of a training run, with ``state_dict``.
        num_classes: of the data.

    Raises:
        InvalidValue: the text says what the checkpoint holds and what the model is.
    """
    saved = checkpoint["state_dict"]
    weight = saved.get("head.weight")
    if weight is not None and weight.shape[0] != num_classes:
        raise InvalidValue(
            f"the checkpoint's head has {weight.shape[0]} classes, the data has {num_classes}. "
            "Evaluate it on data of the same classes, or start from its weights with --model.weights."
        )
    complaint = differences(model.state_dict(), saved, "checkpoint")
    if complaint:
        made_by = checkpoint.get("resnet_zoo", {}).get("backbone") or {"name": "an unknown backbone"}
        built_by: Any = getattr(model.backbone, "built_by", None) or {"name": type(model.backbone).__name__}
        raise InvalidValue(
            f"the checkpoint is of {made_by['name']}, which does not fit {built_by['name']} as configured: "
            f"{complaint}. Use the config beside the checkpoint."
        )


def differences(expected: Mapping[str, Tensor], given: Mapping[str, Tensor], source: str) -> str:
    """How tensors differ from those of a model in names and shapes; empty if they do not.

    Args:
        expected: the model's.
        given: the others.
        source: what those come from, for the text.
    """
    reshaped = [
        f"{key} {tuple(given[key].shape)} {tuple(tensor.shape)}"
        for key, tensor in expected.items()
        if key in given and given[key].shape != tensor.shape
    ]
    clauses = (
        listed(f"missing from the {source}", [key for key in expected if key not in given]),
        listed("unknown to the model", [key for key in given if key not in expected]),
        listed(f"of another shape ({source}, model)", reshaped),
    )
    return "; ".join(filter(None, clauses))


def with_counters(state_dict: Mapping[str, Tensor], expected: Iterable[str]) -> dict[str, Tensor]:
    """The state dict, with zeros for the batch counters that files from before PyTorch 0.4.1 do not have."""
    if any(key.endswith(COUNTER) for key in state_dict):
        return dict(state_dict)
    zeros = {key: torch.tensor(0) for key in expected if key.endswith(COUNTER)}
    return {**state_dict, **zeros}


def listed(what: str, names: list[str]) -> str:
    """A clause such as ``2 missing from the weights: a, b``; empty for no names."""
    if not names:
        return ""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)} {what}: {', '.join(names[:SHOWN])}{more}"


def hint(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """What to do when only the number of classes differs."""
    wrong = [key for key in expected if key not in given or given[key].shape != expected[key].shape]
    heads = [key for key in wrong if key in given and key.endswith((".weight", "fc.weight"))]
    if expected.keys() == given.keys() and len(wrong) == 2 and len(heads) == 1 and given[heads[0]].ndim == 2:
        rows = given[heads[0]].shape[0]
        return f" The weights are for {rows} classes; build the model with num_classes={rows}."
    return ""
