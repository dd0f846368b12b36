"""What to say when a training does not fit into memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from resnet_zoo.cli.training_cli import TrainingCLI
from resnet_zoo.errors import UserMistake


class OutOfMemory(UserMistake):
    """The device's memory does not hold a training step of so many images."""


@contextlib.contextmanager
def told_when_out_of_memory(cli: TrainingCLI) -> Iterator[None]:
    """Turn the device's failure to allocate into a sentence with the batch size and what to do.

    Raises:
        OutOfMemory: in place of torch's error.
    """
    try:
        yield
    except RuntimeError as error:  # of which torch.OutOfMemoryError is one; a CPU's has no class of its own
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        raise OutOfMemory(_sentence(cli)) from error


def _sentence(cli: TrainingCLI) -> str:
    trainer, whole = cli.trainer, cli.datamodule.global_batch_size
    ranks, accumulated = trainer.world_size, trainer.accumulate_grad_batches
    images = whole // (ranks * accumulated)
    name, size = cli.model.backbone.built_by["name"], cli.datamodule.image_size  # type: ignore[index]
    chosen = cli.config.model.activation_checkpointing
    less = (
        ""
        if chosen == "all"
        else "--model.activation_checkpointing all keeps fewer activations and gives the same; "
    )
    return (
        f"out of memory with {images} images of {size}x{size} pixels at a time on {trainer.strategy.root_device} ("
        f"global batch {whole} = {images} images x {ranks} ranks x {accumulated} accumulated). "
        f"'resnet-zoo benchmark batch {name} --image-size {size}' finds the largest number that fits on a GPU; "
        f"{less}--trainer.accumulate_grad_batches {2 * accumulated} makes the same updates in smaller pieces."
    )
