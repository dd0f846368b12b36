"""What ``benchmark step``, ``model`` and ``batch`` share: the options of a job, and the record that comes of it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet_zoo.cli.parser import CommandParser, positive_int

if TYPE_CHECKING:
    from resnet_zoo.activation_checkpointing import ActivationCheckpointing
    from resnet_zoo.cli.timing.job import Job
    from resnet_zoo.cli.timing.rounds import Spread


def add_job_options(parser: CommandParser) -> None:
    """The options that say what is measured and where the result goes; ``publish`` obeys the last two."""
    parser.add_argument("--image-size", type=positive_int, help="pixels; else the backbone's usual size")
    parser.add_argument("--num-classes", type=positive_int, help="logits; else the usual number")
    parser.add_argument(
        "--precision",
        choices=("auto", "32-true", "bf16-mixed"),
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


def job_of(options: argparse.Namespace, backbone: str, words: list[str], batch_size: int) -> tuple[Job, str]:
    """What the options describe, and the sentence about its precision.

    Raises:
        UserMistake: there is no such backbone, argument or part of it, or the device lacks the precision.
    """
    from resnet_zoo.cli.precision_choice import check_precision, choose_precision, device_of
    from resnet_zoo.registry import registry

    entry = registry.resolve(backbone)
    device = device_of(options.accelerator)
    choice, reason = options.precision, f"precision {options.precision}, as asked"
    if choice == "auto":
        choice, reason = choose_precision(device)
    check_precision(choice, device, "command line")

    from resnet_zoo.activation_checkpointing import checkpoint_activations
    from resnet_zoo.cli.backbone_arguments import parse_backbone_arguments
    from resnet_zoo.cli.measure import measure
    from resnet_zoo.cli.timing.job import Job

    builder = entry.load()
    arguments = parse_backbone_arguments(backbone, builder, words)
    image_size = options.image_size
    if image_size is None and isinstance(arguments.get("image_size"), int):
        image_size = arguments["image_size"]
    measured = measure(entry, builder(**arguments), image_size, options.num_classes)
    chosen: ActivationCheckpointing = options.activation_checkpointing
    if chosen not in ("none", "all"):
        chosen = options.activation_checkpointing.split(",")
    checkpoint_activations(measured.model.backbone, chosen)
    job = Job(
        backbone=backbone,
        image_size=measured.image_size,
        num_classes=measured.model.head.out_features,
        batch_size=batch_size,
        precision=choice,
        device=device,
        arguments=arguments,
        multiply_adds=measured.complexity.multiply_adds,
        activation_checkpointing=chosen,
    )
    return job, reason


def record_of(job: Job, notes: Sequence[str]) -> dict[str, Any]:
    """What was measured, where and with what, in plain types."""
    from resnet_zoo.cli.timing.job import machine

    return {
        "backbone": job.backbone,
        "arguments": job.arguments,
        "image_size": job.image_size,
        "precision": job.precision,
        "activation_checkpointing": job.activation_checkpointing,
        "notes": list(notes),
        "machine": machine(job.torch_device),
    }


def timed_record(
    job: Job, notes: Sequence[str], options: argparse.Namespace, spreads: dict[str, tuple[Spread, float]]
) -> dict[str, Any]:
    """The record of interleaved rounds, with what the device could do at best.

    Args:
        job: what was measured.
        notes: about precision and memory.
        options: with ``steps`` of a round and ``rounds``.
        spreads: by name, seconds of a step and the floating point operations in it.
    """
    from resnet_zoo.cli.timing.peaks import measured_peak, published_peak

    record = record_of(job, notes)
    measured = measured_peak(job.torch_device, job.dtype)
    return {
        **record,
        "batch_size": job.batch_size,
        "steps": options.steps,
        "rounds": options.rounds,
        "peak": {"measured": measured, "published": published_peak(record["machine"]["device"], job.dtype)},
        "results": [
            {
                "name": name,
                "seconds": spread._asdict(),
                "images_per_second": job.batch_size / spread.median,
                "share_of_measured_peak": operations / spread.median / measured,
            }
            for name, (spread, operations) in spreads.items()
        ],
    }


def heading(record: dict[str, Any]) -> list[str]:
    """The lines above the table of a ``timed_record``."""
    around, peak, size = record["machine"], record["peak"], record["image_size"]
    published = f", {peak['published'] / 1e12:,.0f} published" if peak["published"] else ""
    return [
        f"{record['backbone']}, {size}x{size} pixels, batch {record['batch_size']}, {record['precision']}; "
        f"{record['rounds']} rounds of {record['steps']} steps each, in turns",
        f"{around['device']}, {around['threads']} threads, load {around['load']}; torch {around['torch']}, "
        f"{around['date']}; matrices: {peak['measured'] / 1e12:,.3g} TFLOP/s measured{published}",
        *record["notes"],
        "",
    ]


def results_table(record: dict[str, Any], what: str) -> list[str]:
    """The lines of a ``timed_record``'s results; where memory was counted, with a column of it.

    Args:
        record: the measurement.
        what: was timed, for the head of the times.
    """
    with_memory = any(each.get("bytes") for each in record["results"])
    memory_head = f"{'memory':>12}" if with_memory else ""
    lines = [f"{'':<22}{f'ms {what}(least to most)':>34}{'images/s':>12}{'of peak':>9}{memory_head}"]
    for each in record["results"]:
        memory = f"{each['bytes'] / 2**20:>8,.0f} MiB" if each.get("bytes") else ""
        lines.append(
            f"{each['name']:<22}{in_milliseconds(each['seconds']):>34}{each['images_per_second']:>12,.0f}"
            f"{each['share_of_measured_peak']:>9.1%}{memory}"
        )
    return lines


def publish(
    record: dict[str, Any], options: argparse.Namespace, as_text: Callable[[dict[str, Any]], str]
) -> None:
    """Print the record, as a table or with ``--json`` as it is, and with ``--save`` add it to a file."""
    if options.save is not None:
        append_record(options.save, record)
    print(json.dumps(record, indent=2) if options.json else as_text(record))


def append_record(path: Path, record: dict[str, Any]) -> None:
    """Add a record to a file that holds a list of them; without the file it is made."""
    from resnet_zoo.runs import write_text_atomically

    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    write_text_atomically(path, json.dumps([*before, record], indent=2) + "\n")


def in_milliseconds(seconds: dict[str, float]) -> str:
    """The median with its spread."""
    median, least, most = (f"{1e3 * seconds[key]:,.3f}" for key in ("median", "least", "most"))
    return f"{median} ({least} to {most})"
