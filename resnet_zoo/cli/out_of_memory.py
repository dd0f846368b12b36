"""What to say when a training does not fit into memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from resnet_zoo.errors import UserMistake

if TYPE_CHECKING:
    from resnet_zoo.cli.training_cli import TrainingCLI


class OutOfMemory(UserMistake):
    """The device's memory does not hold a training step of so many images."""


OTHER_WORDS = (
    "can't allocate memory",
    "unable to find an engine to execute this computation",
)
"""Of a CPU, and of cuDNN where no algorithm gets its workspace; torch has no class for either."""


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch found no memory."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in OTHER_WORDS)


@contextlib.contextmanager
def told_when_out_of_memory(cli: TrainingCLI) -> Iterator[None]:
    """Turn the device's failure to allocate into a sentence with the batch size and what to do.

    Raises:
        OutOfMemory: in place of torch's error.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(_sentence(cli)) from error


def _sentence(cli: TrainingCLI) -> str:
    trainer, whole = cli.trainer, cli.datamodule.global_batch_size
    ranks, accumulated = trainer.world_size, trainer.accumulate_grad_batches
    images = whole // (ranks * accumulated)
    name, size = cli.model.backbone.built_by["name"], cli.datamodule.train_size(trainer.current_epoch)  # type: ignore[index]
    chosen = cli.config.model.activation_checkpointing
    parts = chosen if isinstance(chosen, str) else ",".join(chosen)
    also = "" if parts == "none" else f" --activation-checkpointing {parts}"
    less = (
        ""
        if chosen == "all"
        else "--model.activation_checkpointing all keeps fewer activations and gives the same; "
    )
    graph = " --ddp.static_graph false" if cli.ddp.get("static_graph") else ""
    return (
        f"out of memory with {images} images of {size}x{size} pixels at a time on {trainer.strategy.root_device} ("
        f"global batch {whole} = {images} images x {ranks} ranks x {accumulated} accumulated). "
        f"'resnet-zoo benchmark batch {name} --image-size {size}{also}' finds the largest number that fits; "
        f"{less}--trainer.accumulate_grad_batches {2 * accumulated}{graph} makes the same updates in smaller pieces."
    )
