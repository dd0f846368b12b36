"""What of a device a training uses: TF32, cuDNN's search for algorithms, compiling, and the exchange of gradients."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import torch
from lightning.pytorch import Trainer

from resnet_zoo.cli.ddp_options import settle_ddp
from resnet_zoo.errors import InvalidValue
from resnet_zoo.optim import example_of

if TYPE_CHECKING:
    from resnet_zoo.classifier import ImageClassifier
    from resnet_zoo.cli.training_cli import TrainingCLI

Tf32 = Literal["none", "convolutions", "all"]
TF32_CAPABILITY = (8, 0)


def choose_cudnn_benchmark(trainer: Any, device: str) -> list[str]:
    """Let cuDNN try its algorithms once for every shape, which are few in a training, unless somebody has decided.

    Args:
        trainer: the parsed settings; ``benchmark`` is set where it is not.
        device: cpu, cuda or mps.

    Returns:
        what was chosen, for people.
    """
    if device != "cuda" or trainer.benchmark is not None:
        return []
    trainer.benchmark = not trainer.deterministic
    if trainer.deterministic:
        return ["cudnn.benchmark: off, since trainer.deterministic is set"]
    return ["cudnn.benchmark: on, since shapes are fixed; --trainer.deterministic true turns it off"]


def set_tf32(allowed: Tf32, device: str, where: str) -> None:
    """Let float32 be computed with the 10 bits of TF32's fraction, in ``allowed`` operations and nowhere else.

    Raises:
        InvalidValue: 'all' where the device has no TF32.
    """
    if allowed == "all":
        lacking = None if device == "cuda" else f"a {device} device has no TF32"
        if lacking is None and torch.cuda.get_device_capability() < TF32_CAPABILITY:
            lacking = f"{torch.cuda.get_device_name()} has no TF32"
        if lacking is not None:
            raise InvalidValue(f"{where}: tf32=all cannot be used: {lacking}. Leave it out.")
    if device != "cuda":
        return
    # By the settings that came before ``torch.backends.*.fp32_precision``, which torch 2.11 recommends: once the newer
    # ones are set, torch refuses to read the older, and Lightning and torch's compiler read them.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Please use the new API settings", UserWarning)
        torch.set_float32_matmul_precision("high" if allowed == "all" else "highest")
        torch.backends.cudnn.allow_tf32 = allowed != "none"


def settle_training(cli: TrainingCLI) -> list[str]:
    """Decide how the built training uses its device, before anything is written; the sentences that say how.

    Raises:
        InvalidValue: something is asked for that the device, the optimizer or the number of ranks does not allow.
    """
    notes = cli.model.settle_compiling(cli.trainer, cli.datamodule)
    settled = cli.model.compile_settings
    for name, value in asdict(settled).items():
        cli.config.model.compile[name] = value
    cli.ddp = settle_ddp(cli.config_init.ddp, cli.trainer)
    check_optimizer(cli.model, cli.trainer)
    return notes


def check_optimizer(model: ImageClassifier, trainer: Trainer) -> None:
    """Refuse an optimizer that does not take its arguments, or would fail at the first update.

    Raises:
        InvalidValue: with the reason.
    """
    optimizer = example_of(model.optimizer_factory)
    clips = bool(trainer.gradient_clip_val)
    if clips and trainer.precision == "16-mixed" and getattr(optimizer, "_step_supports_amp_scaling", False):
        raise InvalidValue(
            f"model.optimizer: {type(optimizer).__name__} with fused=true undoes the scaling of 16-mixed within its "
            f"update, and trainer.gradient_clip_val={trainer.gradient_clip_val:g} clips before that. Use bf16-mixed, "
            "which scales nothing, or leave fused or the clipping out."
        )


def record_of_device(cli: TrainingCLI) -> dict[str, Any]:
    """What was settled, for the run's record."""
    return {
        "tf32": cli.config.tf32,
        "cudnn_benchmark": cli.config.trainer.benchmark,
        "compile": asdict(cli.model.compile_settings),
        "ddp": cli.ddp,
    }
