"""The deeper network that is no worse than a shallower one, by construction (He et al. 2015, arXiv:1512.03385).

Section 1 of the paper: the added layers are identities, the others are copied from the trained shallower one. Behind a
ReLU a layer that convolves with the identity, normalises with neutral statistics and applies ReLU returns its input.
So the deeper network computes the same logits, in evaluation mode: in training mode batch norm would normalise once
more, by the statistics of the batch.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from resnet_zoo.analysis.layers import evaluating
from resnet_zoo.errors import InvalidValue

TOLERANCE = 1e-5
"""Logits that differ by no more than this are equal up to rounding."""


def construct_deeper(shallow: nn.Module, deep: nn.Module) -> int:
    """Make ``deep`` compute what ``shallow`` computes: copy all its layers, turn those beyond them into identities.

    Both are plain backbones with ``stages``, a sequence of stages, each a sequence of blocks. The blocks that
    ``deep`` has more of stand at the end of their stage.

    Args:
        shallow: the trained network.
        deep: a network of the same family, width and stages with at least as many blocks; changed in place.

    Returns:
        Number of blocks that became identities.

    Raises:
        InvalidValue: the two do not fit, or a block to be added cannot be the identity.
    """
    shallow_stages, deep_stages = _stages(shallow), _stages(deep)
    if len(shallow_stages) != len(deep_stages):
        raise InvalidValue(
            f"the shallow network has {len(shallow_stages)} stages and the deep one {len(deep_stages)}. "
            "Both must have the same."
        )
    added: set[str] = set()
    for stage, (few, many) in enumerate(zip(shallow_stages, deep_stages, strict=True)):
        if len(many) < len(few):
            raise InvalidValue(
                f"stage {stage + 1} of the deep network has {len(many)} blocks, that of the shallow one {len(few)}. "
                "Choose a deeper network."
            )
        for position in range(len(few), len(many)):
            make_identity(many[position])
            added.add(f"stages.{stage}.{position}.")
    _copy(shallow, deep, tuple(added))
    return len(added)


def make_identity(block: nn.Module) -> None:
    """Let a plain block return its input, provided that this comes from a ReLU; changed in place.

    Raises:
        InvalidValue: a layer of it changes the shape or resolution, or is of a kind that cannot be the identity.
    """
    if not any(isinstance(module, nn.Conv2d | nn.Linear) for module in block.modules()):
        raise InvalidValue(f"{type(block).__name__} has no layers to turn into identities.")
    for name, module in block.named_modules():
        if list(module.children()):
            if any(
                child in ("shortcut", "downsample", "transform_gate") for child, _ in module.named_children()
            ):
                raise InvalidValue(
                    f"{type(module).__name__} adds its input itself. Only a plain network is deepened so; a residual "
                    "block is the identity when its residual is zero."
                )
        else:
            _make_leaf_identity(name, module)


def _make_leaf_identity(name: str, module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        same_size = module.stride == (1, 1) and all(size % 2 for size in module.kernel_size)
        if module.in_channels != module.out_channels or module.groups != 1 or not same_size:
            raise InvalidValue(
                f"layer {name!r} changes its input's shape and cannot be the identity: {module}."
            )
        nn.init.dirac_(module.weight)
    elif isinstance(module, nn.Linear):
        if module.in_features != module.out_features:
            raise InvalidValue(
                f"layer {name!r} changes its input's shape and cannot be the identity: {module}."
            )
        nn.init.eye_(module.weight)
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        _make_norm_neutral(module)
    elif not isinstance(module, nn.ReLU | nn.Identity):
        raise InvalidValue(
            f"layer {name!r} is {type(module).__name__}, which cannot be the identity. Only networks of convolutions, "
            "batch norms and ReLU can be deepened without a change."
        )
    if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def _make_norm_neutral(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
    """Statistics of a standard normal and a scale that takes back what epsilon does to them."""
    norm.reset_running_stats()
    with torch.no_grad():
        norm.weight.fill_((1.0 + norm.eps) ** 0.5)
        norm.bias.zero_()


def _copy(shallow: nn.Module, deep: nn.Module, added: tuple[str, ...]) -> None:
    source, target = shallow.state_dict(), deep.state_dict()
    kept = {key: value for key, value in target.items() if not key.startswith(added)} if added else target
    wrong = [key for key in kept if key not in source or source[key].shape != kept[key].shape]
    wrong += [key for key in source if key not in kept]
    if wrong:
        raise InvalidValue(
            f"the two networks are not of one family and width: {wrong[0]!r} and {len(wrong) - 1} more tensors differ "
            "in name or shape."
        )
    deep.load_state_dict({**target, **source})


def _stages(backbone: nn.Module) -> list[nn.Sequential]:
    stages = getattr(backbone, "stages", None)
    found = (
        [stage for stage in stages if isinstance(stage, nn.Sequential)]
        if isinstance(stages, nn.Sequential)
        else []
    )
    if not found or not isinstance(stages, nn.Sequential) or len(found) != len(stages):
        raise InvalidValue(
            f"{type(backbone).__name__} has no 'stages' of blocks. Only plain networks built of stages can be deepened."
        )
    return found


def max_logit_difference(
    first: nn.Module, second: nn.Module, batches: Iterable[Float[Tensor, "batch channels height width"]]
) -> float:
    """Largest absolute difference of two models' logits over some batches, in evaluation mode; NaN if any is NaN."""
    largest = torch.zeros(())
    with evaluating(first), evaluating(second), torch.no_grad():
        for images in batches:
            difference = (first(images) - second(images)).abs().max().cpu()
            largest = torch.maximum(largest, difference)
    return float(largest)
