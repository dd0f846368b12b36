"""What each measure gives a training step on a CPU in float32, on top of most people's script, and what it changes.

    python benchmarks/cpu_measures.py [--threads 1] [--backbone resnet20_cifar] [--batch-size 128] [--write]

Each loop has a process of its own, and with it an allocator, and they take turns round by round. All begin with the
same weights and see the same images; after the first turn, which is not counted, each loop's weights are compared with
those of the loop that lacks nothing but the measure. With --write the record takes the place of the one of as many
threads in benchmarks/results/cpu_measures.json, which the table in docs/speed.md is made from.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from resnet_zoo.cli.allocator import keep_memory
from resnet_zoo.cli.timing.job import OPTIMIZER, Job, machine
from resnet_zoo.cli.timing.loops import UsualScript
from resnet_zoo.cli.timing.own_process import InOwnProcess
from resnet_zoo.cli.timing.rounds import Spread, in_turns

RESULT = Path(__file__).parent / "results" / "cpu_measures.json"
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Measures:
    """What is done to the usual script, and what the weights that come of it are compared with.

    Attributes:
        compared_with: the name of the loop that lacks the measure at hand.
        channels_last: weights and images in that memory format.
        in_place: ReLU overwrites what it reads.
        kept: what a step frees is kept by the allocator for the next one.
        fused: the optimizer's update in one kernel.
        flushed: denormal numbers count as 0.
    """

    compared_with: str
    channels_last: bool = False
    in_place: bool = False
    kept: bool = False
    fused: bool = False
    flushed: bool = False


USUAL, LAST_IN_PLACE, ALL = "the usual script", "channels-last and ReLU in place", "all three"
TWO = Measures(USUAL, channels_last=True, in_place=True)
LOOPS = {
    USUAL: Measures(USUAL),
    "channels-last alone": Measures(USUAL, channels_last=True),
    "ReLU in place alone": Measures(USUAL, in_place=True),
    "memory kept alone": Measures(USUAL, kept=True),
    LAST_IN_PLACE: replace(TWO, compared_with="channels-last alone"),
    ALL: replace(TWO, compared_with=LAST_IN_PLACE, kept=True),
    "all three, fused SGD": replace(TWO, compared_with=ALL, kept=True, fused=True),
    "all three, denormals flushed": replace(TWO, compared_with=ALL, kept=True, flushed=True),
}


class MeasuredLoop(UsualScript):
    """The usual script with some measures taken.

    Args:
        job: what to train.
        measures: what is done.
    """

    def __init__(self, job: Job, measures: Measures) -> None:
        torch.manual_seed(0)
        super().__init__(job, measures.channels_last, measures.in_place)
        if measures.fused:
            self.optimizer = torch.optim.SGD(self.net.parameters(), **OPTIMIZER, fused=True)


@dataclass(frozen=True)
class Training:
    """Trains with some measures when asked, and leaves the weights of the first turn in a file."""

    measures: Measures
    weights: Path

    def __call__(self, job: Job, turns: Iterator[int]) -> None:
        """Train as many steps as each turn has."""
        if self.measures.kept:
            keep_memory()
        torch.set_flush_denormal(self.measures.flushed)
        loop = MeasuredLoop(job, self.measures)
        for steps in turns:
            loop.run(steps)
            if not self.weights.exists():
                weights = [parameter.detach().flatten() for parameter in loop.net.parameters()]
                torch.save(torch.cat(weights), self.weights)


def measured(job: Job, threads: int, steps: int, rounds: int) -> list[dict[str, Any]]:
    """Seconds of a step of each loop, its speed as a multiple of the usual script's, and what it changed."""
    with ExitStack() as closing, tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{number}.pt" for number, name in enumerate(LOOPS)}
        processes = {}
        for name, measures in LOOPS.items():
            processes[name] = alone = InOwnProcess(Training(measures, files[name]), job, threads)
            closing.callback(alone.close)
        seconds = in_turns({name: alone.run for name, alone in processes.items()}, steps, rounds, CPU)
        weights = {name: torch.load(file) for name, file in files.items()}
    return [
        {
            "name": name,
            "seconds": Spread.of(seconds[name])._asdict(),
            "times_the_usual": Spread.of(
                [usual / own for usual, own in zip(seconds[USUAL], seconds[name], strict=True)]
            )._asdict(),
            "compared_with": measures.compared_with,
            "largest_difference": float(
                (weights[name] - weights[measures.compared_with]).abs().max()
                / weights[measures.compared_with].abs().max()
            ),
        }
        for name, measures in LOOPS.items()
    ]


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backbone", default="resnet20_cifar")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=2, help="of a turn")
    parser.add_argument("--rounds", type=int, default=7, help="after one that is not counted")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    job = Job(options.backbone, options.image_size, 10, options.batch_size, "32-true", "cpu")
    job = replace(job, updates=options.steps * (options.rounds + 1))
    record = {
        "machine": machine(CPU),
        **{name: getattr(options, name) for name in ("backbone", "image_size", "batch_size", "threads")},
        **{name: getattr(options, name) for name in ("steps", "rounds")},
        "loops": measured(job, options.threads, options.steps, options.rounds),
    }
    print(json.dumps(record, indent=1))
    if options.write:
        before = json.loads(RESULT.read_text()) if RESULT.exists() else []
        what = ("backbone", "batch_size", "threads")
        others = [each for each in before if any(each[name] != record[name] for name in what)]
        RESULT.write_text(
            json.dumps(sorted([*others, record], key=lambda each: each["threads"]), indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
