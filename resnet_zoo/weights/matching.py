"""Putting tensors into a model only when every name and every shape agrees."""

from collections.abc import Iterable, Mapping

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
    complaints = [
        listed("missing from the weights", [key for key in expected if key not in given]),
        listed("unknown to the model", [key for key in given if key not in expected]),
        listed(
            "of another shape (weights, model)",
            [
                f"{key} {tuple(given[key].shape)} {tuple(tensor.shape)}"
                for key, tensor in expected.items()
                if key in given and given[key].shape != tensor.shape
            ],
        ),
    ]
    if any(complaints):
        what = getattr(model.get_submodule("backbone"), "built_by", {}).get("name", type(model).__name__)
        raise InvalidValue(
            f"the weights do not fit {what!r}: "
            + "; ".join(filter(None, complaints))
            + "."
            + hint(expected, given)
        )
    model.load_state_dict({key: given[name] for key, name in source_names.items()})


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
