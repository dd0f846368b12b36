"""What the benchmarks of nets are asked: their options, and the job that these describe."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from resnet_zoo.cli.benchmark_record import saved_records
from resnet_zoo.cli.parser import CommandParser, positive_int
from resnet_zoo.errors import InvalidValue

if TYPE_CHECKING:
    from resnet_zoo.activation_checkpointing import ActivationCheckpointing
    from resnet_zoo.cli.benchmark_backbone import ChosenBackbone
    from resnet_zoo.cli.timing.job import Job


PRECISIONS = ("32-true", "bf16-mixed")
"""Of Lightning's trainer, those that are measured."""


def add_job_options(parser: CommandParser) -> None:
    """The options that say what is measured and where the result goes; ``publish`` obeys the last two."""
    parser.add_argument("--image-size", type=positive_int, help="pixels; else the backbone's usual size")
    parser.add_argument("--num-classes", type=positive_int, help="logits; else the usual number")
    parser.add_argument(
        "--precision",
        choices=("auto", *PRECISIONS),
        default="auto",
        help="auto: bfloat16 autocast where the device computes in it, else float32",
    )
    parser.add_argument(
        "--activation-checkpointing",
        default="none",
        metavar="PARTS",
        help="parts of the backbone that compute their activations twice: none (the default), all, or names: "
        "stages.0,stages.1",
    )
    parser.add_argument("--accelerator", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    parser.add_argument("--json", action="store_true", help="print the measurement as a record")
    parser.add_argument("--save", type=Path, metavar="FILE", help="append the record to a JSON file")


def add_timing_options(
    parser: CommandParser, steps: int, help_of_steps: str, help_of_batch: str = "images in a step"
) -> None:
    """The options that say how much is measured.

    Args:
        parser: of the command.
        steps: of a round, by default.
        help_of_steps: what a step is.
        help_of_batch: what the batch is.
    """
    parser.add_argument("--batch-size", type=positive_int, default=128, help=help_of_batch)
    parser.add_argument("--steps", type=positive_int, default=steps, help=help_of_steps)
    parser.add_argument("--rounds", type=positive_int, default=7, help="after one that is not counted")


def job_of(options: argparse.Namespace, backbone: ChosenBackbone, batch_size: int) -> tuple[Job, str]:
    """What the options describe, and the sentence about its precision.

    Args:
        options: of the command.
        backbone: with its arguments, as ``parse_with_backbone`` found them.
        batch_size: images in a step.

    Raises:
        UserMistake: there is no such backbone, argument or part of it, the device lacks the precision, or the result
            could not be saved.
    """
    from resnet_zoo.cli.precision_choice import device_of
    from resnet_zoo.registry import registry

    if options.save is not None:
        saved_records(options.save)
    entry = registry.resolve(backbone.name)
    device = device_of(options.accelerator)
    precision, reason = _precision(options.precision, device)

    from resnet_zoo.activation_checkpointing import checkpoint_activations
    from resnet_zoo.cli.backbone_arguments import parse_backbone_arguments
    from resnet_zoo.cli.measure import CHANNELS, measure
    from resnet_zoo.cli.timing.job import Job

    builder = entry.load()
    backbone.check_options(builder)
    arguments = parse_backbone_arguments(backbone.name, builder, backbone.words)
    if (channels := arguments.get("in_channels", CHANNELS)) != CHANNELS:
        raise InvalidValue(
            f"backbone {backbone.name!r} with in_channels={channels}: images have {CHANNELS} channels in every data "
            "set of this project, and in its benchmarks. Leave it out."
        )
    image_size = options.image_size
    if image_size is None and isinstance(arguments.get("image_size"), int):
        image_size = arguments["image_size"]
    measured = measure(entry, builder(**arguments), image_size, options.num_classes)
    chosen: ActivationCheckpointing = options.activation_checkpointing
    if chosen not in ("none", "all"):
        chosen = options.activation_checkpointing.split(",")
    checkpoint_activations(measured.model.backbone, chosen)
    job = Job(
        backbone=backbone.name,
        image_size=measured.image_size,
        num_classes=measured.model.head.out_features,
        batch_size=batch_size,
        precision=precision,
        device=device,
        arguments=arguments,
        multiply_adds=measured.complexity.multiply_adds,
        activation_checkpointing=chosen,
    )
    return job, reason


def _precision(asked: str, device: str) -> tuple[str, str]:
    """The precision that is measured, and the sentence about it."""
    from resnet_zoo.cli.precision_choice import choose_precision, what_precision_lacks

    if asked == "auto":
        return choose_precision(device)
    if lacking := what_precision_lacks(asked, device):
        raise InvalidValue(
            f"--precision {asked} cannot be used: {lacking}. Use 32-true, or auto, which takes what the device has "
            "and says what it took."
        )
    return asked, f"precision {asked}, as asked"
