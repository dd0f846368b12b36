"""Which parameters are decayed: decided by the type of the module that owns them, never by their names."""

from __future__ import annotations

from typing import Any

from torch import nn

NORM_LAYERS: tuple[type[nn.Module], ...] = (
    nn.modules.batchnorm._NormBase,  # batch, synchronised batch and instance norm in every dimension
    nn.GroupNorm,
    nn.LayerNorm,
    nn.RMSNorm,
)


def is_norm_layer(module: nn.Module) -> bool:
    """Whether a module normalises: one of torch's norm layers, or a class of somebody else's named ``...Norm...``."""
    return isinstance(module, NORM_LAYERS) or any("Norm" in base.__name__ for base in type(module).__mro__)


def split_parameters(module: nn.Module, decay_norm_and_bias: bool) -> list[dict[str, Any]]:
    """Parameter groups for a torch optimizer: those that weight decay touches, and those it does not.

    Leaving norms and biases out is the practice of Goyal et al. 2017 (arXiv:1706.02677), section 5.1 (norms), and of
    He et al. 2018 (arXiv:1812.01187), section 3.1 (norms and biases); the papers of the nets themselves decay all.

    Args:
        module: the model; every parameter of it lands in exactly one group, a shared one under its first name.
        decay_norm_and_bias: one group with everything if true. Otherwise the scales and shifts of norm layers and
            all biases come second, in a group with ``weight_decay`` 0.

    Returns:
        One or two groups with ``params``, ``names`` (in the same order) and, for the second, ``weight_decay``.
        A group without parameters is left out.
    """
    decayed: dict[str, Any] = {"params": [], "names": []}
    undecayed: dict[str, Any] = {"params": [], "names": [], "weight_decay": 0.0}
    seen: set[int] = set()
    for module_name, owner in module.named_modules():
        owner_is_norm = is_norm_layer(owner)
        for name, parameter in owner.named_parameters(prefix=module_name, recurse=False):
            if id(parameter) in seen:
                continue
            seen.add(id(parameter))
            # "bias" also within a name: in_proj_bias of attention, bias_ih_l0 of recurrent layers.
            exempt = owner_is_norm or "bias" in name.rpartition(".")[2]
            group = undecayed if exempt and not decay_norm_and_bias else decayed
            group["params"].append(parameter)
            group["names"].append(name)
    return [group for group in (decayed, undecayed) if group["params"]]
