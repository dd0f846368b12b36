"""Rules about copies of a net: through a state dict, a pickle, a deep copy."""

from __future__ import annotations

import copy
import io
import pickle

import torch
from torch import nn

from resnet_zoo.conformance.case import Case, difference, listed
from resnet_zoo.conformance.rule import Rule


def _compare(case: Case, restored: nn.Module) -> str | None:
    expected, got = case.features(case.settled), case.features(restored.eval())
    if torch.equal(expected, got):
        return None
    return f"the restored net's features differ by {difference(expected, got):.1e} (relative)"


def _state_dict(case: Case) -> str | None:
    file = io.BytesIO()
    torch.save(case.settled.state_dict(), file)
    file.seek(0)
    other = case.build(seed=1)
    other.load_state_dict(torch.load(file, weights_only=True))
    return _compare(case, other)


def _pickle(case: Case) -> str | None:
    return _compare(case, pickle.loads(pickle.dumps(case.settled)))


def _deep_copy(case: Case) -> str | None:
    twin = copy.deepcopy(case.settled)
    memory = {tensor.data_ptr() for tensor in case.settled.state_dict().values() if tensor.numel()}
    shared = [
        name for name, tensor in twin.state_dict().items() if tensor.numel() and tensor.data_ptr() in memory
    ]
    return f"a deep copy shares the memory of {listed(shared)}" if shared else _compare(case, twin)


SAVING = (
    Rule(
        "state_dict",
        "a new net with the saved state dict gives the same features, bit for bit",
        "keep every tensor that the features depend on as an nn.Parameter or with register_buffer, and create all of "
        "them in __init__",
        _state_dict,
    ),
    Rule(
        "pickle",
        "a net survives pickling, as sending it to another process needs",
        "keep lambdas, local functions, open files and generators out of the net's attributes",
        _pickle,
    ),
    Rule(
        "deep_copy",
        "copy.deepcopy gives an equal net of its own, as weight averaging needs",
        "keep only leaf tensors as attributes, and do not override __deepcopy__ to return the net itself",
        _deep_copy,
    ),
)
