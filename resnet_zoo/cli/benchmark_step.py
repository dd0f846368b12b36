"""``resnet-zoo benchmark step``: what a training step of ours costs, beside loops without a framework."""

from __future__ import annotations

import argparse
import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet_zoo.cli.parser import CommandParser, positive_int
from resnet_zoo.errors import unknown_name

if TYPE_CHECKING:
    from resnet_zoo.cli.timing.fitted import Contender, TakingTurns
    from resnet_zoo.cli.timing.job import Job

CONTENDERS = ("bare", "usual", "torchvision", "timm")
OWN_PROCESS = {"usual"}
"""Those that must not share our allocator's settings."""

_EXAMPLE = "resnet-zoo benchmark step --backbone resnet20_cifar --batch-size 128 --against bare,usual"


def main(argv: list[str]) -> int:
    """Measure and print a table, or with ``--json`` the record."""
    options, rest = _parser().parse_known_args(argv)
    names = list(dict.fromkeys(name for name in options.against.split(",") if name))
    for name in names:
        if name not in CONTENDERS:
            raise unknown_name("contender", name, CONTENDERS, "See 'resnet-zoo benchmark step --help'.")
    record = measure_step(options, rest, names)
    if options.save is not None:
        append_record(options.save, record)
    print(json.dumps(record, indent=2) if options.json else as_text(record))
    return 0


def _parser() -> CommandParser:
    parser = CommandParser(
        "benchmark step",
        "Seconds of a training step of the real 'fit', with bar, metrics, loggers (W&B offline) and checkpoints, and\n"
        "of others, in turns, in one run. The framework's tax is ours minus 'bare'. What comes at an epoch's end,\n"
        "validation and the checkpoint, is not part of a step. The backbone's arguments may follow: --shortcut C.",
        _EXAMPLE,
    )
    add_job_options(parser)
    parser.add_argument("--backbone", required=True, help="a name from 'resnet-zoo list', or an import path")
    parser.add_argument("--against", default="bare", help=f"any of {','.join(CONTENDERS)}; by default bare")
    parser.add_argument("--steps", type=positive_int, default=20, help="of a turn")
    parser.add_argument("--rounds", type=positive_int, default=7, help="after one that is not counted")
    return parser


def add_job_options(parser: CommandParser) -> None:
    """The options that say what is measured and where the result goes."""
    parser.add_argument("--batch-size", type=positive_int, default=128, help="images in a step")
    parser.add_argument("--image-size", type=positive_int, help="pixels; else the backbone's usual size")
    parser.add_argument("--num-classes", type=positive_int, help="logits; else the usual number")
    parser.add_argument(
        "--precision",
        choices=("auto", "32-true", "bf16-mixed"),
        default="auto",
        help="auto: bfloat16 autocast where the device computes in it, else float32",
    )
    parser.add_argument("--accelerator", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    parser.add_argument("--json", action="store_true", help="print the measurement as a record")
    parser.add_argument("--save", type=Path, metavar="FILE", help="append the record to a JSON file")


def job_of(options: argparse.Namespace, backbone: str, words: list[str]) -> tuple[Job, str]:
    """What the options describe, and the sentence about its precision.

    Raises:
        UserMistake: there is no such backbone or argument, or the device lacks the precision.
    """
    from resnet_zoo.cli.precision_choice import check_precision, choose_precision, device_of
    from resnet_zoo.registry import registry

    entry = registry.resolve(backbone)
    device = device_of(options.accelerator)
    choice, reason = options.precision, f"precision {options.precision}, as asked"
    if choice == "auto":
        choice, reason = choose_precision(device)
    check_precision(choice, device, "command line")

    from resnet_zoo.cli.backbone_arguments import parse_backbone_arguments
    from resnet_zoo.cli.measure import measure
    from resnet_zoo.cli.timing.job import Job

    builder = entry.load()
    arguments = parse_backbone_arguments(backbone, builder, words)
    if options.image_size is None and isinstance(arguments.get("image_size"), int):
        options.image_size = arguments["image_size"]
    measured = measure(entry, builder(**arguments), options.image_size, options.num_classes)
    job = Job(
        backbone=backbone,
        image_size=measured.image_size,
        num_classes=measured.model.head.out_features,
        batch_size=options.batch_size,
        precision=choice,
        device=device,
        arguments=arguments,
        multiply_adds=measured.complexity.multiply_adds,
    )
    return job, reason


def measure_step(options: argparse.Namespace, words: list[str], names: list[str]) -> dict[str, Any]:
    """Let our training and the contenders of these names take turns; the result in plain types."""
    job, reason = job_of(options, options.backbone, words)
    job = replace(job, updates=(options.rounds + 1) * options.steps)

    from resnet_zoo.cli.allocator import keep_memory
    from resnet_zoo.cli.timing.fitted import TakingTurns, train_in_turns
    from resnet_zoo.cli.timing.loops import LOOPS
    from resnet_zoo.cli.timing.own_process import InOwnProcess

    with contextlib.ExitStack() as closing:
        others: dict[str, Contender] = {}
        for name in names:
            if name in OWN_PROCESS:
                others[name] = alone = InOwnProcess(name, job)
                closing.callback(alone.close)
        memory = keep_memory() if job.device == "cpu" else "memory: as torch manages it on the GPU"
        others |= {name: LOOPS[name](job) for name in names if name not in OWN_PROCESS}
        turns = TakingTurns(others, options.steps, job.torch_device)
        train_in_turns(turns, job)
    return _record(job, turns, [reason, memory], options)


def _record(job: Job, turns: TakingTurns, notes: list[str], options: argparse.Namespace) -> dict[str, Any]:
    from resnet_zoo.cli.timing.fitted import OURS
    from resnet_zoo.cli.timing.job import machine
    from resnet_zoo.cli.timing.loops import LOOPS
    from resnet_zoo.cli.timing.peaks import measured_peak, published_peak
    from resnet_zoo.cli.timing.rounds import Spread

    around = machine(job.torch_device)
    measured = measured_peak(job.torch_device, job.dtype)
    results = []
    for name, seconds in turns.seconds.items():
        each = Spread.of(seconds)
        results.append(
            {
                "name": name,
                "what": LOOPS[name].note if name in LOOPS else "the real training, with all that a user has",
                "seconds": each._asdict(),
                "images_per_second": job.batch_size / each.median,
                "share_of_measured_peak": job.operations / each.median / measured,
                "bytes": turns.memory.get(name),
            }
        )
    tax = None
    if "bare" in turns.seconds:
        pairs = zip(turns.seconds[OURS], turns.seconds["bare"], strict=True)
        more = Spread.of([ours - bare for ours, bare in pairs])
        tax = {"seconds": more._asdict(), "share": more.median / Spread.of(turns.seconds["bare"]).median}
    return {
        "backbone": job.backbone,
        "arguments": job.arguments,
        "image_size": job.image_size,
        "batch_size": job.batch_size,
        "precision": job.precision,
        "notes": notes,
        "steps": options.steps,
        "rounds": options.rounds,
        "machine": around,
        "peak": {"measured": measured, "published": published_peak(around["device"], job.dtype)},
        "results": results,
        "tax": tax,
    }


def append_record(path: Path, record: dict[str, Any]) -> None:
    """Add a record to a file that holds a list of them; without the file it is made."""
    from resnet_zoo.runs import write_text_atomically

    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    write_text_atomically(path, json.dumps([*before, record], indent=2) + "\n")


def as_text(record: dict[str, Any]) -> str:
    """The measurement as a table."""
    around, peak = record["machine"], record["peak"]
    published = f", {peak['published'] / 1e12:,.0f} published" if peak["published"] else ""
    lines = [
        f"{record['backbone']}, {record['image_size']}x{record['image_size']} pixels, batch {record['batch_size']}, "
        f"{record['precision']}; {record['rounds']} rounds of {record['steps']} steps each, in turns",
        f"{around['device']}, {around['threads']} threads, load {around['load']}; torch {around['torch']}, "
        f"{around['date']}; matrices: {peak['measured'] / 1e12:,.3g} TFLOP/s measured{published}",
        *record["notes"],
        "",
        f"{'':<16}{'ms a step (least to most)':>34}{'images/s':>12}{'of peak':>9}{'memory':>12}",
    ]
    for each in record["results"]:
        memory = f"{each['bytes'] / 2**20:,.0f} MiB" if each["bytes"] else ""
        lines.append(
            f"{each['name']:<16}{in_milliseconds(each['seconds']):>34}{each['images_per_second']:>12,.0f}"
            f"{each['share_of_measured_peak']:>9.1%}{memory:>12}"
        )
    if record["tax"] is not None:
        share = record["tax"]["share"]
        lines += [
            "",
            f"tax: {in_milliseconds(record['tax']['seconds'])} ms a step, {share:.2%} of the bare loop's",
        ]
    return "\n".join(lines)


def in_milliseconds(seconds: dict[str, float]) -> str:
    """The median with its spread."""
    median, least, most = (f"{1e3 * seconds[key]:,.3f}" for key in ("median", "least", "most"))
    return f"{median} ({least} to {most})"
