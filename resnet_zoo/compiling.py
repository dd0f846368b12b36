"""What of a training ``torch.compile`` compiles: the backbone, the optimizer's update, and with which mode.

Modes that record CUDA graphs launch all kernels of a pass at once, which is what a net on small images waits for: its
kernels are done before the next one is launched. ``torch.compile`` records them, rather than we by hand
(``torch.cuda.make_graphed_callables``): it records anew where a shape is another one, as in the shorter last update and
with progressive resizing, tells evaluation from training, and leaves a warm-up's running statistics alone.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import Trainer
from torch import nn

from resnet_zoo.errors import InvalidValue

Switch = bool | Literal["auto"]
Mode = Literal["auto", "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"]
WITH_CUDA_GRAPHS = ("reduce-overhead", "max-autotune")

NOT_FASTER = "on a CPU it was not faster (docs/speed.md)"
SMALL_IMAGE = 64
"""Pixels up to which ``auto`` records CUDA graphs."""
OLDEST_CAPABILITY = (7, 0)
"""Of the GPUs that Triton compiles for."""
GRAPHS_PER_SIZE = 3
"""A full batch, and two lengths of the batches that the last, shorter update is spread over."""
GRAPHS_OF_EVALUATION = 5
"""Evaluation with the raw and with averaged weights, with and without gradients enabled, and one to spare."""


@dataclass(frozen=True)
class CompileSettings:
    """What ``torch.compile`` compiles.

    Args:
        backbone: in place, so that checkpoint keys stay the same; 'auto' where it pays: on GPUs.
        optimizer: the update of one of torch's own optimizers; 'auto' as for the backbone. Weights differ from those
            of an update that is not compiled by roundings.
        mode: of the backbone's compilation, a mode of ``torch.compile``. 'reduce-overhead' and 'max-autotune' record
            CUDA graphs. 'auto' is 'reduce-overhead' for small images on one GPU, else 'default'.

    Raises:
        InvalidValue: a mode for a backbone that is not compiled.
    """

    backbone: Switch = False
    optimizer: Switch = False
    mode: Mode = "auto"

    def __post_init__(self) -> None:
        if self.mode != "auto" and self.backbone is False:
            raise InvalidValue(
                f"model.compile.mode={self.mode} would have no effect, since model.compile.backbone is false. "
                "Set it to true or auto, or the mode to auto."
            )


NOTHING_COMPILED = CompileSettings()


@dataclass(frozen=True)
class Workplace:
    """Where a training runs, as far as compiling depends on it.

    Args:
        device: cpu, cuda or mps.
        image_size: the largest side of the images, in pixels; None if nobody knows.
        world_size: number of ranks.
        accumulation: batches of an update on each rank.
    """

    device: str
    image_size: int | None = None
    world_size: int = 1
    accumulation: int = 1

    @classmethod
    def of(cls, trainer: Trainer, data: Any) -> Workplace:
        """Of a trainer, on images of a data module."""
        return cls(
            device=trainer.strategy.root_device.type,
            image_size=getattr(data, "image_size", None),
            world_size=trainer.world_size,
            accumulation=trainer.accumulate_grad_batches,
        )


def settle(
    settings: CompileSettings, place: Workplace, optimizer_lacks: Callable[[], str | None]
) -> tuple[CompileSettings, list[str]]:
    """Decide what is left to us, and refuse what cannot be done.

    Args:
        settings: as configured.
        place: where the training runs.
        optimizer_lacks: says why the optimizer's update cannot be compiled, if it cannot.

    Returns:
        settings without an 'auto' in what is compiled, and a sentence about every choice.

    Raises:
        InvalidValue: something is asked for that this device or training lacks, with the reason.
    """
    if not (settings.backbone or settings.optimizer):
        return settings, []
    lacking = what_compiling_lacks(place.device)
    lacking_for = {"backbone": lacking, "optimizer": lacking}
    if settings.optimizer and lacking is None:
        lacking_for["optimizer"] = optimizer_lacks()
    chosen: dict[str, bool] = {}
    notes = []
    for name, missing in lacking_for.items():
        asked = getattr(settings, name)
        if asked is True and missing is not None:
            raise InvalidValue(
                f"model.compile.{name}=true cannot be done: {missing}. Leave it out, or use 'auto', which "
                "compiles where it can be done and pays, and says so."
            )
        reason = missing or (None if asked is True or place.device == "cuda" else NOT_FASTER)
        chosen[name] = bool(asked) and reason is None
        if asked == "auto":
            notes.append(
                f"compile auto: the {name} " + (f"is not compiled: {reason}" if reason else "is compiled")
            )
    if not chosen["backbone"]:
        return replace(settings, mode="auto", **chosen), notes
    mode, note = _mode(settings.mode, place)
    return replace(settings, mode=mode, **chosen), [*notes, *filter(None, [note])]


def _mode(mode: Mode, place: Workplace) -> tuple[Mode, str | None]:
    """The mode to use, and what to say about the choice."""
    lacking = _what_cuda_graphs_lack(place)
    if mode == "auto":
        small = place.image_size is not None and place.image_size <= SMALL_IMAGE
        if lacking is None and place.world_size > 1:
            lacking = "they were not tried with several ranks"
        if lacking is None and small:
            return (
                "reduce-overhead",
                f"compile auto: with CUDA graphs, for images of {place.image_size} pixels",
            )
        if lacking is None:
            lacking = f"they are for images up to {SMALL_IMAGE} pixels"
        return "default", f"compile auto: without CUDA graphs, {lacking}" if place.device == "cuda" else None
    if mode == "reduce-overhead" and lacking is None:
        return mode, None
    if mode == "reduce-overhead" or (
        mode == "max-autotune" and place.device == "cuda" and lacking is not None
    ):
        raise InvalidValue(
            f"model.compile.mode={mode} cannot be used: it records CUDA graphs, and {lacking}. Use 'default' or 'auto'"
            f"{', or max-autotune-no-cudagraphs' if mode == 'max-autotune' else ''}."
        )
    return mode, None


def _what_cuda_graphs_lack(place: Workplace) -> str | None:
    if place.device != "cuda":
        return f"the device is {place.device}"
    if place.accumulation > 1:
        # pytorch/pytorch#169545 and #96693: the second backward pass adds to memory that belongs to the graph.
        return (
            f"gradients accumulated over {place.accumulation} batches come out wrong with torch's CUDA graphs"
        )
    return None


def what_compiling_lacks(device: str) -> str | None:
    """What ``torch.compile`` would fail for on this machine, for people; None if nothing is known to be missing."""
    if device not in ("cpu", "cuda"):
        return f"torch.compile is not tried on {device}"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "torch.compile needs Python's headers (Python.h), which are not installed"
    if device == "cpu":
        return _no_program("CXX", ("g++", "clang++"), "a C++ compiler")
    if find_spec("triton") is None:
        return "torch.compile needs Triton on a GPU, which is not installed"
    if torch.cuda.get_device_capability() < OLDEST_CAPABILITY:
        return f"Triton does not compile for {torch.cuda.get_device_name()}, which is too old"
    return _no_program("CC", ("gcc", "clang"), "a C compiler")


def _no_program(variable: str, names: tuple[str, ...], what: str) -> str | None:
    wanted = (os.environ[variable],) if os.environ.get(variable) else names
    if any(shutil.which(name.split()[0]) for name in wanted):
        return None
    return f"torch.compile needs {what}, and there is no {' or '.join(wanted)} ({variable} can name another)"


def compile_backbone(backbone: nn.Module, mode: Mode, num_sizes: int = 1) -> None:
    """Compile in place, each shape of its images on its own.

    Args:
        backbone: what to compile.
        mode: settled.
        num_sizes: of the images over the training. More shapes than torch compiles by default would run eagerly.
    """
    import torch._dynamo.config as limits

    needed = GRAPHS_PER_SIZE * num_sizes + GRAPHS_OF_EVALUATION
    limits.recompile_limit = max(limits.recompile_limit, needed)
    backbone.compile(mode=mode, dynamic=False)
