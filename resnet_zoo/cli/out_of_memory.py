"""What to say when a training, or a measurement of one, does not fit into memory."""

from __future__ import annotations

import contextlib
import inspect
import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch

from resnet_zoo.cli.benchmark_job import PRECISIONS
from resnet_zoo.errors import UserMistake
from resnet_zoo.registry import registry

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from resnet_zoo.activation_checkpointing import ActivationCheckpointing
    from resnet_zoo.cli.timing.job import Job
    from resnet_zoo.cli.training_cli import TrainingCLI


class OutOfMemory(UserMistake):
    """The device's memory does not hold a training step of so many images."""


OTHER_WORDS = (
    "can't allocate memory",
    "unable to find an engine to execute this computation",
    "CUDA out of memory",
    "CUDA error: out of memory",
)
"""Of a CPU, of cuDNN where no algorithm gets its workspace, and of errors that another process or CUDA itself reports;
torch has no class for any of them."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether torch, or Python itself, found no memory."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in OTHER_WORDS)


@contextlib.contextmanager
def telling(sentence: Callable[[], str], *kinds: type[Exception]) -> Iterator[None]:
    """Turn a failure to allocate into a sentence.

    Args:
        sentence: called only then.
        kinds: of errors that are looked at.

    Raises:
        OutOfMemory: in place of torch's or Python's error.
    """
    try:
        yield
    except kinds as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(sentence()) from error


def told_when_out_of_memory(cli: TrainingCLI) -> AbstractContextManager[None]:
    """For a training: batch size, the command that finds a fitting one, and what else helps."""
    # Python's MemoryError is about the host's memory, not the device's.
    return telling(lambda: _sentence(cli), RuntimeError)


def told_when_too_large(job: Job) -> AbstractContextManager[None]:
    """For a measurement: batch size, and the command that finds a fitting one."""
    images = job.batch_size // job.devices
    return telling(
        lambda: (
            f"out of memory with {images:,} images of {job.image_size}x{job.image_size} pixels on {job.device}. "
            + command_that_fits(
                job.backbone, job.arguments, job.image_size, job.precision, job.activation_checkpointing
            )
        ),
        RuntimeError,
        MemoryError,
    )


def command_that_fits(
    name: str,
    arguments: Mapping[str, Any],
    image_size: int,
    precision: str,
    checkpointing: ActivationCheckpointing,
) -> str:
    """A sentence with the command that finds the largest batch of a net.

    Args:
        name: of the backbone.
        arguments: that it was built with.
        image_size: pixels.
        precision: of the trainer.
        checkpointing: of activations.
    """
    words = ["--backbone", name]
    parameters = inspect.signature(registry.resolve(name).load()).parameters
    for key, value in arguments.items():
        if value != parameters[key].default:
            words += [f"--{key}", value if isinstance(value, str) else json.dumps(value)]
    words += ["--image-size", str(image_size)]
    if precision in PRECISIONS:
        words += ["--precision", precision]
    if checkpointing != "none":
        parts = checkpointing if isinstance(checkpointing, str) else ",".join(checkpointing)
        words += ["--activation-checkpointing", parts]
    return f"'resnet-zoo benchmark batch {shlex.join(words)}' finds the largest number that fits."


def _sentence(cli: TrainingCLI) -> str:
    trainer, whole = cli.trainer, cli.datamodule.global_batch_size
    ranks, accumulated = trainer.world_size, trainer.accumulate_grad_batches
    images = whole // (ranks * accumulated)
    size = cli.datamodule.train_size(trainer.current_epoch)
    built_by: dict[str, Any] = cli.model.backbone.built_by  # type: ignore[assignment]
    chosen = cli.config.model.activation_checkpointing
    less = (
        ""
        if chosen == "all"
        else "--model.activation_checkpointing all keeps fewer activations and gives the same; "
    )
    graph = " --ddp.static_graph false" if cli.ddp.get("static_graph") else ""
    return (
        f"out of memory with {images} images of {size}x{size} pixels at a time on {trainer.strategy.root_device} ("
        f"global batch {whole} = {images} images x {ranks} ranks x {accumulated} accumulated). "
        f"{command_that_fits(built_by['name'], built_by['arguments'], size, str(trainer.precision), chosen)} "
        f"{less}--trainer.accumulate_grad_batches {2 * accumulated}{graph} makes the same updates in smaller pieces."
    )
