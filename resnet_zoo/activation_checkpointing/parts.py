"""Which parts of a net keep their input alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from torch import nn

from resnet_zoo.activation_checkpointing.forward import CheckpointedForward, is_layer, is_plain_sequence
from resnet_zoo.errors import InvalidValue, unknown_name

ActivationCheckpointing = Literal["none", "all"] | list[str]
"""None of a backbone's parts, all of them, or the modules of these names."""


def checkpoint_activations(backbone: nn.Module, chosen: ActivationCheckpointing) -> None:
    """Let parts of a backbone, in place, keep their input alone when they train; evaluation stays as it is.

    Args:
        backbone: any module; its state dict, children and hooks stay the same.
        chosen: names of modules as in ``named_modules()``; one that holds stages, as ``stages`` does in the nets of
            this package, stands for each of them. Or all that ``checkpointable_parts`` finds, or none.

    Raises:
        UnknownName: there is no such module.
        InvalidValue: one of them lies within another, or there is nothing to choose from.
    """
    if chosen == "none":
        return
    parts = checkpointable_parts(backbone)
    if isinstance(chosen, list):
        parts = _named_parts(backbone, chosen, parts)
    elif not parts:
        raise InvalidValue(
            f"activation_checkpointing=all finds no part in {type(backbone).__name__}: all its children are single "
            "layers. Give a list of the modules that shall be computed again."
        )
    for part in parts.values():
        part.forward = CheckpointedForward(part)


def checkpointable_parts(backbone: nn.Module) -> dict[str, nn.Module]:
    """By name, the children that have parameters and are more than a layer; of those that hold stages, the stages."""
    parts: dict[str, nn.Module] = {}
    for name, child in backbone.named_children():
        if _has_any(child.children()) and _has_any(child.parameters()):
            parts.update(_parts_within(name, child))
    return parts


def _has_any(things: Iterator[object]) -> bool:
    return next(things, None) is not None


def _parts_within(name: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    # Lists are never called themselves.
    if isinstance(module, nn.ModuleList | nn.ModuleDict) or _holds_stages(module):
        for child_name, child in module.named_children():
            yield from _parts_within(f"{name}.{child_name}", child)
    else:
        yield name, module


def _holds_stages(module: nn.Module) -> bool:
    return is_plain_sequence(module) and all(_is_stage(child) for child in module.children())


def _is_stage(module: nn.Module) -> bool:
    """Whether a module is a sequence of more than layers: a convolution with its norm and activation is none."""
    return is_plain_sequence(module) and not any(is_layer(child) for child in module.children())


def _named_parts(
    backbone: nn.Module, names: Sequence[str], offered: dict[str, nn.Module]
) -> dict[str, nn.Module]:
    modules = {name: module for name, module in backbone.named_modules() if name}
    parts: dict[str, nn.Module] = {}
    for name in names:
        if name not in modules:
            raise unknown_name(
                f"module of {type(backbone).__name__}",
                name,
                # Of hundreds of modules people mean those at the top, unless they have named the way to a deeper one.
                modules
                if name.rpartition(".")[0] in modules
                else {*offered, *dict(backbone.named_children())},
                f"activation_checkpointing=all takes {', '.join(offered) or 'none of them'}.",
            )
        parts.update(_parts_within(name, modules[name]))
    for inner in parts:
        for outer in parts:
            if inner.startswith(f"{outer}."):
                raise InvalidValue(
                    f"activation_checkpointing names {outer!r} and {inner!r}, which lies within it and would be "
                    "computed three times. Leave one of them out."
                )
    return parts
