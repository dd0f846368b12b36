"""``resnet-zoo benchmark step``: what a training step of ours costs, beside loops without a framework."""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from resnet_zoo.cli.benchmark_backbone import ChosenBackbone, parse_with_backbone
from resnet_zoo.cli.benchmark_job import add_job_options, add_timing_options, job_of
from resnet_zoo.cli.benchmark_record import heading, in_milliseconds, publish, results_table, timed_record
from resnet_zoo.cli.parser import CommandParser
from resnet_zoo.errors import unknown_name

if TYPE_CHECKING:
    from resnet_zoo.cli.timing.fitted import TakingTurns
    from resnet_zoo.cli.timing.job import Job

CONTENDERS = ("bare", "usual", "lightning", "torchvision", "timm")

_EXAMPLE = "resnet-zoo benchmark step --backbone resnet20_cifar --batch-size 128 --against bare,usual"


def main(argv: list[str]) -> int:
    """Measure and print a table, or with ``--json`` the record."""
    options, backbone = parse_with_backbone(_parser(), argv)
    names = list(dict.fromkeys(name for name in options.against.split(",") if name))
    for name in names:
        if name not in CONTENDERS:
            raise unknown_name("contender", name, CONTENDERS, "See 'resnet-zoo benchmark step --help'.")
    publish(measure_step(options, backbone, names), options, as_text)
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
    parser.add_argument("--against", default="bare", help=f"any of {','.join(CONTENDERS)}; by default bare")
    parser.add_argument(
        "--compile",
        choices=("false", "true", "auto"),
        default="false",
        help="whether ours compiles backbone and update (model.compile); false by default",
    )
    add_timing_options(parser, 20, "of a turn")
    return parser


def measure_step(options: argparse.Namespace, backbone: ChosenBackbone, names: list[str]) -> dict[str, Any]:
    """Let our training and the contenders of these names take turns; the result in plain types."""
    job, reason = job_of(options, backbone, options.batch_size)
    job = replace(job, updates=(options.rounds + 1) * options.steps, compile=options.compile)

    from resnet_zoo.cli.allocator import keep_memory
    from resnet_zoo.cli.out_of_memory import told_when_too_large
    from resnet_zoo.cli.timing.contenders import begin
    from resnet_zoo.cli.timing.fitted import TakingTurns, train_in_turns

    memory = keep_memory() if job.device == "cpu" else "memory: as torch manages it on the GPU"
    with told_when_too_large(job), contextlib.ExitStack() as closing:
        turns = TakingTurns(begin(names, job, closing), options.steps, job.torch_device)
        compiled = train_in_turns(turns, job)["compile"]
    modes = f", mode {compiled['mode']}" if compiled["backbone"] else ""
    parts = [name for name in ("backbone", "optimizer") if compiled[name]]
    notes = [reason, memory, f"ours has compiled: {' and '.join(parts) or 'nothing'}{modes}"]
    theirs = [name for name in names if name in ("torchvision", "timm")]
    if theirs and (job.arguments or job.activation_checkpointing != "none"):
        notes.append(f"{' and '.join(theirs)}: without the backbone's arguments and activation checkpointing")
    return _record(job, turns, notes, options)


def _record(job: Job, turns: TakingTurns, notes: list[str], options: argparse.Namespace) -> dict[str, Any]:
    from resnet_zoo.cli.timing.contenders import NOTES
    from resnet_zoo.cli.timing.fitted import OURS
    from resnet_zoo.cli.timing.rounds import Spread

    spreads = {name: Spread.of(seconds) for name, seconds in turns.seconds.items()}
    record = timed_record(
        job, notes, options, {name: (spread, job.operations) for name, spread in spreads.items()}
    )
    for each in record["results"]:
        each["what"] = NOTES.get(each["name"], "the real training, with all that a user has")
        each["bytes"] = turns.memory.get(each["name"])
    tax = None
    if "bare" in turns.seconds:
        pairs = zip(turns.seconds[OURS], turns.seconds["bare"], strict=True)
        more = Spread.of([ours - bare for ours, bare in pairs])
        tax = {"seconds": more._asdict(), "share": more.median / spreads["bare"].median}
    return {**record, "tax": tax}


def as_text(record: dict[str, Any]) -> str:
    """The measurement as a table."""
    lines = [*heading(record), *results_table(record, "a step ")]
    if record["tax"] is not None:
        share = record["tax"]["share"]
        lines += [
            "",
            f"tax: {in_milliseconds(record['tax']['seconds'])} ms a step, {share:.2%} of the bare loop's",
        ]
    return "\n".join(lines)
