"""How long a training is, in updates and, measured by a few steps, in hours."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from typing import Any

from resnet_zoo.cli.out_of_memory import command_that_fits, telling
from resnet_zoo.cli.precision_choice import choose_precision, device_of
from resnet_zoo.cli.step_time import measure_step
from resnet_zoo.cli.training_cli import TrainingCLI
from resnet_zoo.errors import InvalidValue
from resnet_zoo.optim import Position


def length_of_training(cli: TrainingCLI, steps_per_epoch: int) -> Position:
    """The start of a training of so many updates an epoch, with its length as the config limits it.

    Raises:
        InvalidValue: nothing limits it.
    """
    trainer = cli.config.trainer
    limits = [trainer.max_steps] if trainer.max_steps is not None and trainer.max_steps >= 0 else []
    max_epochs = trainer.max_epochs
    if max_epochs is None and not limits:
        max_epochs = 1000  # Lightning's own default
    if max_epochs is not None and max_epochs >= 0:
        limits.append(max_epochs * steps_per_epoch)
    if not limits:
        raise InvalidValue("neither trainer.max_epochs nor trainer.max_steps limits this training.")
    return Position(0, steps_per_epoch, min(limits))


def time_lines(cli: TrainingCLI, data: Any, model: Any, ranks: int) -> Iterator[str]:
    """How long the training will take, measured by a few of its steps here.

    Args:
        cli: with the parsed config.
        data: the data set, or what stands in for it.
        model: as it will be trained; its weights change.
        ranks: processes of the training.

    Raises:
        OutOfMemory: its steps do not fit into this device's memory.
    """
    accumulate = cli.config.trainer.accumulate_grad_batches
    per_rank = data.global_batch_size // (ranks * accumulate)
    end = length_of_training(cli, data.num_updates_per_epoch())
    if not end.total_steps:
        yield "# expected time\nnone: this training has no updates"
        return
    sizes = [data.train_size(epoch) for epoch in range(math.ceil(end.total_epochs))]
    precision = measured_precision(cli)
    with telling(lambda: _too_large(cli, per_rank, sizes[0], precision), RuntimeError, MemoryError):
        measured = measure_step(model, sizes[0], per_rank, precision)
    total = round(end.total_epochs * data.num_samples["train"])
    growth = statistics.mean((size / sizes[0]) ** 2 for size in sizes)  # the work grows with the area
    hours = total * growth / measured.images_per_second / 3600
    yield "# expected time"
    yield (
        f"{measured.images_per_second:,.1f} images/s on {measured.device}: steps of {measured.images} images of "
        f"{sizes[0]}x{sizes[0]}, without reading and decoding"
    )
    yield f"{total:,} images in all: {_duration(hours)} on one such device"
    if ranks > 1:
        yield f"and {_duration(hours / ranks)} on {ranks} of them, if sharing the work cost nothing"


def measured_precision(cli: TrainingCLI) -> str:
    """In which steps are measured on this device."""
    chosen = choose_precision(device_of("auto")).precision if cli.config.precision else None
    return str(chosen or cli.config.trainer.precision)


def _too_large(cli: TrainingCLI, images: int, size: int, precision: str) -> str:
    """What to say when the steps do not fit into memory."""
    backbone = cli.config.model.backbone
    arguments = backbone.init_args.as_dict() if "init_args" in backbone else {}
    checkpointing = cli.config.model.activation_checkpointing
    return (
        f"out of memory in steps of up to {images} images of {size}x{size} pixels. "
        f"{command_that_fits(backbone.class_path, arguments, size, precision, checkpointing)}"
    )


def _duration(hours: float) -> str:
    return f"{hours:.3g} hours" if hours >= 1 else f"{60 * hours:.3g} minutes"
