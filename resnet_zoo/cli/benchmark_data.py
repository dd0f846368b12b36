"""``resnet-zoo benchmark data``: images per second through the loader of a config, beside those of others."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import time
from typing import TYPE_CHECKING, Any

from resnet_zoo.cli.parser import CommandParser, natural_int, positive_float, positive_int

if TYPE_CHECKING:
    from resnet_zoo.data.benchmark.contenders import Job
    from resnet_zoo.data.benchmark.rounds import Measured

_EXAMPLE = "resnet-zoo benchmark data --config r50_imagenet --against torchvision,timm --need 2500"


def main(argv: list[str]) -> int:
    """Measure, print a table and whether it is enough.

    Returns:
        0; 1 if ``--need`` says more than this machine delivers.
    """
    options, rest = _parser().parse_known_args(argv)

    from resnet_zoo.cli.arguments import parse_arguments

    parse_arguments(rest, {})  # a mistake in the text of a config is said before torch is imported

    from resnet_zoo.data.benchmark.peers import check_peers

    peers = list(dict.fromkeys(name for name in options.against.split(",") if name))
    check_peers(peers)
    record = measure_config(rest, options, peers)
    print(json.dumps(record, indent=2) if options.json else as_text(record))
    return 0 if record["enough"] is not False else 1


def _parser() -> CommandParser:
    parser = CommandParser(
        "benchmark data",
        "How many images a second the loader of a config delivers, with its workers, in all and per core (processor\n"
        "time of the workers and of the main process). All that 'fit' takes is taken too: --config, --data.root, ...\n"
        "Exit code: 0, or 1 if it is less than --need.",
        _EXAMPLE,
    )
    parser.add_argument(
        "--against", default="", help="whom to compare with, of torchvision, timm and decode_jpeg"
    )
    parser.add_argument("--split", choices=("train", "val"), default="train", help="whose transform to use")
    parser.add_argument("--images", type=positive_int, default=2000, help="in a round")
    parser.add_argument("--rounds", type=positive_int, default=5, help="after one that is not counted")
    parser.add_argument(
        "--workers", type=natural_int, help="processes, for all alike; by default as 'fit' chooses"
    )
    parser.add_argument("--need", type=positive_float, help="images/s that the training takes")
    parser.add_argument("--normalise", action="store_true", help="with the normalisation that a device does")
    parser.add_argument("--json", action="store_true", help="print the measurement as a record")
    return parser


def measure_config(words: list[str], options: argparse.Namespace, peers: list[str]) -> dict[str, Any]:
    """Build the data set of a config and measure it."""
    from resnet_zoo.cli.arguments import parse_arguments
    from resnet_zoo.cli.building import build
    from resnet_zoo.cli.explain import parsed
    from resnet_zoo.cli.names import NAMED_KEYS
    from resnet_zoo.data.benchmark.contenders import Contender, Job, Ours
    from resnet_zoo.data.benchmark.peers import PEERS
    from resnet_zoo.data.benchmark.rounds import measure
    from resnet_zoo.data.sources import ResidentImages
    from resnet_zoo.data.surroundings import Surroundings

    cli = parsed(parse_arguments(words, NAMED_KEYS))
    data = build(cli.parser, cli.config).data
    data.prepare_data()
    resident = isinstance(data.source(options.split), ResidentImages)
    workers = options.workers
    if workers is None:
        chosen = data.num_workers
        workers = Surroundings().workers_for(data.source(options.split)) if chosen is None else chosen
    job = Job.of(data, options.split, options.images, workers)
    contenders: list[Contender] = [
        Ours(job, options.normalise or resident),
        *(PEERS[name](job) for name in peers),
    ]
    return record_of(job, measure(contenders, options.rounds), options.rounds, options.need)


def record_of(job: Job, results: list[Measured], rounds: int, need: float | None = None) -> dict[str, Any]:
    """The measurement in plain types; the first of the results is ours."""
    ours = results[0]
    return {
        "data": {"class": type(job.data).__name__, "root": job.data.root, "split": job.split},
        "image_size": job.data.image_size,
        "batch_size": job.batch_size,
        "images": len(job.positions),
        "rounds": rounds,
        "workers": job.num_workers,
        "machine": machine(),
        "results": [
            {
                "name": each.name,
                "delivers": each.delivers,
                "per_core": each.per_core._asdict(),
                "total": each.total._asdict(),
                "ratio": ours.per_core.median / each.per_core.median,
            }
            for each in results
        ],
        "need": need,
        "enough": None if need is None else ours.total.median >= need,
    }


def machine() -> dict[str, Any]:
    """Where and with what it was measured."""
    import PIL
    import torch
    import torchvision

    from resnet_zoo.cli.timing.job import processor
    from resnet_zoo.cores import available_cores
    from resnet_zoo.data.decoders import available_decoders, unavailable_decoders

    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": processor(),
        "cores": available_cores(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "pillow": PIL.__version__,
        "decoders": [decoder.name for decoder in available_decoders()],
        "without": unavailable_decoders(),
    }


def as_text(record: dict[str, Any]) -> str:
    """The measurement as a table with a verdict."""
    data, around = record["data"], record["machine"]
    lines = [
        f"{data['class']} {data['root']!r}, {data['split']} transform, {record['image_size']} pixels; "
        f"{record['images']:,} images a round in batches of {record['batch_size']}, {record['rounds']} interleaved "
        f"rounds, {record['workers']} workers, {around['cores']} cores (load {around['load']:.1f})",
        f"decoders: {', '.join(around['decoders'])}"
        + "".join(f"; not {k}: {v}" for k, v in around["without"].items()),
        "",
        f"{'images/s, median (slowest to fastest)':<40}{'per core':>24}{'in all':>26}{'ours is':>9}",
    ]
    for each in record["results"]:
        speeds = [
            f"{speed['median']:,.0f} ({speed['slowest']:,.0f} to {speed['fastest']:,.0f})"
            for speed in (each["per_core"], each["total"])
        ]
        label = f"{each['name']} ({each['delivers']})"
        lines.append(f"{label:<40}{speeds[0]:>24}{speeds[1]:>26}{each['ratio']:>8.2f}x")
    return "\n".join([*lines, "", _verdict(record)])


def _verdict(record: dict[str, Any]) -> str:
    ours = record["results"][0]
    total, per_core = ours["total"]["median"], ours["per_core"]["median"]
    if record["need"] is None:
        return f"Enough for a training that takes up to {total:,.0f} images/s. --need N compares with one."
    if record["enough"]:
        return f"Enough for {record['need']:,.0f} images/s: {total:,.0f} arrive."
    cores = math.ceil(record["need"] / per_core)
    return (
        f"Not enough for {record['need']:,.0f} images/s: {total:,.0f} arrive. It would take about {cores} cores like "
        "these; packed or smaller files take fewer (see docs/data_speed.md)."
    )
