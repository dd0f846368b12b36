"""``resnet-zoo benchmark scaling``: the step of the real ``fit`` on one rank and on several."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from resnet_zoo.cli.benchmark_backbone import ChosenBackbone, parse_with_backbone
from resnet_zoo.cli.benchmark_job import add_job_options, add_timing_options, job_of
from resnet_zoo.cli.benchmark_record import in_milliseconds, publish, record_of
from resnet_zoo.cli.free_memory import free_memory, resident_memory
from resnet_zoo.cli.parser import CommandParser
from resnet_zoo.cores import available_cores
from resnet_zoo.errors import InvalidValue, SaidElsewhere, UserMistake

if TYPE_CHECKING:
    from resnet_zoo.cli.launch import Launch
    from resnet_zoo.cli.timing.job import Job
    from resnet_zoo.cli.timing.scaling import Turns


def main(argv: list[str]) -> int:
    """Measure and print a table, or with ``--json`` the record.

    Raises:
        InvalidValue: a world size is none, or there are fewer GPUs.
    """
    options, backbone = parse_with_backbone(_parser(), argv)

    from resnet_zoo.callbacks import quieten_lightning
    from resnet_zoo.cli.launch import detect

    quieten_lightning()
    launch = detect()
    if launch.external:
        return _measure_as_started(launch, options, backbone)
    job, reason = job_of(options, backbone, options.batch_size)
    sizes, notes = world_sizes(options.world_sizes, job.device, _devices(job.device))

    from resnet_zoo.cli.timing.scaling import take_turns

    turns = take_turns(job, sizes, options.steps, options.rounds)
    publish(record_of_turns(job, [reason, *notes], turns, options), options, as_text)
    return 0


def _measure_as_started(launch: Launch, options: argparse.Namespace, backbone: ChosenBackbone) -> int:
    """On the ranks that torchrun or SLURM has started; the first of them publishes."""
    try:
        if options.world_sizes is not None:
            raise InvalidValue(
                f"--world-sizes {options.world_sizes}: {launch.launcher} has started {launch.world_size} ranks, and "
                "these are measured. Leave it out."
            )
        job, reason = job_of(options, backbone, options.batch_size)
    except UserMistake as mistake:
        if launch.rank:
            raise SaidElsewhere("rank 0 says it") from mistake
        raise

    from resnet_zoo.cli.timing.scaling import take_turns_as_started

    turns = take_turns_as_started(job, launch, options.steps, options.rounds)
    if launch.rank == 0:
        nodes = launch.world_size // launch.local_world_size
        started = f"{launch.world_size} ranks on {nodes} node{'s' if nodes > 1 else ''}, by {launch.launcher}"
        publish(record_of_turns(job, [reason, started], turns, options), options, as_text)
    return 0


def _parser() -> CommandParser:
    parser = CommandParser(
        "benchmark scaling",
        "Seconds of a training step of the real 'fit' on 1 rank and on more, each with a batch of the same size (weak\n"
        "scaling: the global batch grows), the efficiency against one rank, and the share of a step that is spent in\n"
        "communication. Ranks are processes: on GPUs one each, on CPUs with one thread each. The backbone's arguments\n"
        "may follow: --shortcut C.",
        "resnet-zoo benchmark scaling --backbone resnet20_cifar --world-sizes 1,2",
    )
    add_job_options(parser)
    parser.add_argument(
        "--world-sizes",
        metavar="1,2,...",
        help="numbers of ranks; 1 is always measured, too; by default powers of two up to all GPUs or cores",
    )
    add_timing_options(parser, 10, "of a turn", "images of each rank in a step")
    return parser


def _devices(device: str) -> int:
    """How many ranks have something of their own to compute on."""
    if device == "cuda":
        import torch

        return torch.cuda.device_count()
    return available_cores() if device == "cpu" else 1


def world_sizes(given: str | None, device: str, devices: int) -> tuple[list[int], list[str]]:
    """The numbers of ranks in rising order, 1 among them, and what is to be said about them.

    Args:
        given: as on the command line; None for powers of two.
        device: cpu, cuda or mps.
        devices: GPUs, or cores.

    Raises:
        InvalidValue: something that is no number of ranks, more ranks than GPUs, or more than memory holds.
    """
    if given is None:
        return [2**power for power in range(devices.bit_length())], []
    words = given.split(",")
    wrong = [word for word in words if not word.strip().isdecimal() or int(word) < 1]
    if wrong:
        raise InvalidValue(
            f"--world-sizes {given}: {wrong[0]!r} is not a number of ranks. Give whole numbers from 1, as in 1,2,4."
        )
    sizes = sorted({1, *map(int, words)})
    if sizes[-1] <= devices:
        return sizes, []
    if device != "cpu":
        raise InvalidValue(
            f"--world-sizes {given}: {sizes[-1]} ranks need as many devices, and this machine has {devices} of kind "
            f"{device}. Use at most {devices}, or '--accelerator cpu'."
        )
    _check_room(given, sizes[-1])
    return sizes, [
        f"more ranks than the {devices} cores of this process: they take turns, and scale as well as that"
    ]


def _check_room(given: str, ranks: int) -> None:
    """Refuse more processes than there is memory for what each has before it trains: about as much as this one."""
    free, each = free_memory(), resident_memory()
    if free is not None and each is not None and ranks * each > free:
        raise InvalidValue(
            f"--world-sizes {given}: {ranks} ranks are as many processes, each of which takes about "
            f"{each / 2**30:.1f} GiB before it trains, and {free / 2**30:.1f} GiB are free. Use at most {free // each}."
        )


def record_of_turns(job: Job, notes: list[str], turns: Turns, options: argparse.Namespace) -> dict[str, Any]:
    """What was measured, in plain types.

    Efficiency is a step of one rank over a step of several, which have as many images each; communication is the share
    of a step that is gone where nothing is exchanged. Both are formed round by round.
    """
    from resnet_zoo.cli.timing.rounds import Spread

    alone = turns.together.get(1)
    results = []
    for size, seconds in turns.together.items():
        spread = Spread.of(seconds)
        result: dict[str, Any] = {
            "world_size": size,
            "global_batch_size": size * job.batch_size,
            "seconds": spread._asdict(),
            "images_per_second": size * job.batch_size / spread.median,
            "efficiency": None,
            "communication": None,
        }
        if alone is not None:
            ratios = [one / several for one, several in zip(alone, seconds, strict=True)]
            result["efficiency"] = Spread.of(ratios)._asdict()
        if size in turns.apart:
            pairs = zip(seconds, turns.apart[size], strict=True)
            result["communication"] = Spread.of([1 - apart / together for together, apart in pairs])._asdict()
        results.append(result)
    return {
        **record_of(job, notes),
        "batch_size": job.batch_size,
        "steps": options.steps,
        "rounds": options.rounds,
        "backend": "nccl" if job.device == "cuda" else "gloo",
        "results": results,
    }


def as_text(record: dict[str, Any]) -> str:
    """The measurement as a table."""
    size, around = record["image_size"], record["machine"]
    lines = [
        f"{record['backbone']}, {size}x{size} pixels, batch {record['batch_size']} a rank, {record['precision']}; "
        f"{record['rounds']} rounds of {record['steps']} steps each, {record['backend']}",
        f"{around['device']}, {around['cores']} cores, load {around['load']}; torch {around['torch']}, "
        f"{around['date']}",
        *record["notes"],
        "",
        f"{'ranks':>5}{'ms a step (least to most)':>34}{'images/s':>12}{'efficiency':>12}{'communication':>15}",
    ]
    for each in record["results"]:
        efficiency, share = (
            f"{each[key]['median']:.1%}" if each[key] else "" for key in ("efficiency", "communication")
        )
        lines.append(
            f"{each['world_size']:>5}{in_milliseconds(each['seconds']):>34}{each['images_per_second']:>12,.1f}"
            f"{efficiency:>12}{share:>15}"
        )
    return "\n".join(lines)
