"""What activation checkpointing saves in memory and costs in time, and how long its segments should be.

    python benchmarks/activation_checkpointing.py [--nets resnet50] [--only memory] [--rounds 3] [--write]

Memory is counted, not measured: the bytes of all tensors that are alive at the same time during a training step
(forward, backward, SGD with momentum), at two batch sizes, which gives what a net takes anyway and what each image
adds at the moment that takes most. So it is the same on every machine, and holds for float32; a convolution's
workspace is not in it. Time is the processor's, of one thread; in each round all settings take their turn. With
--write the record becomes benchmarks/results/activation_checkpointing.json, which the table in docs/speed.md is made
from.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from resnet_zoo.activation_checkpointing import checkpoint_activations
from resnet_zoo.activation_checkpointing.forward import CheckpointedForward
from resnet_zoo.cli.allocator import keep_memory
from resnet_zoo.cli.timing.job import Job, machine
from resnet_zoo.cli.timing.rounds import Spread, seconds_of
from resnet_zoo.cli.timing.tensor_memory import MemoryNeed
from resnet_zoo.cli.timing.training_step import TrainingStep

RESULT = Path(__file__).parent / "results" / "activation_checkpointing.json"
CPU = torch.device("cpu")
BATCH_SIZE = 128
"""Of which the memory is told: the papers' on CIFAR."""
NETS = {"resnet50": (224, 1000, 4), "resnet1202_cifar": (32, 10, 4), "preact_resnet1001_cifar": (32, 10, 4)}
"""Backbone: image size, classes, images of the timed step."""


def cut(length: Callable[[int], float]) -> Callable[[nn.Module], None]:
    """Cut the stages of a net into segments of so many blocks, a function of their number."""

    def apply(backbone: nn.Module) -> None:
        checkpoint_activations(backbone, "all")
        for stage in backbone.get_submodule("stages").children():
            names = [name for name, _ in stage.named_children()]
            step = max(1, round(length(len(names))))
            starts = range(0, len(names), step)
            stage.forward = CheckpointedForward(stage, [names[start : start + step] for start in starts])  # type: ignore[method-assign]

    return apply


OTHER_CUTS = {
    "every block": cut(lambda blocks: 1),
    "sqrt(blocks) segments": cut(math.sqrt),
    "every stage": cut(lambda blocks: blocks),
}
"""What the segments could be as well."""


class CutStep(TrainingStep):
    """A step of a net whose segments are of another length."""

    def __init__(self, job: Job, apply: Callable[[nn.Module], None]) -> None:
        super().__init__(job)
        apply(self.net.backbone)


def count_memory(name: str) -> dict[str, Any]:
    """What a step takes, by what is computed twice."""
    none = job_of(name)
    everything = replace(none, activation_checkpointing="all")
    steps: dict[str, Callable[[int], TrainingStep]] = {
        "none": lambda images: TrainingStep(replace(none, batch_size=images)),
        "all": lambda images: TrainingStep(replace(everything, batch_size=images)),
    }
    for setting, apply in OTHER_CUTS.items():
        steps[setting] = lambda images, apply=apply: CutStep(replace(none, batch_size=images), apply)  # type: ignore[misc]
    memory = {setting: MemoryNeed(make).peak(BATCH_SIZE)._asdict() for setting, make in steps.items()}
    return {"memory_batch_size": BATCH_SIZE, "memory": memory}


def measure_time(name: str, rounds: int) -> dict[str, Any]:
    """How long a step takes with everything computed twice, and how many times as long as without."""
    none = job_of(name)
    steps = {"none": TrainingStep(none), "all": TrainingStep(replace(none, activation_checkpointing="all"))}
    seconds: dict[str, list[float]] = {setting: [] for setting in steps}
    for number in range(rounds + 1):
        for setting, step in steps.items():
            taken = seconds_of(step, CPU, time.process_time)
            if number:
                seconds[setting].append(taken)
    ratios = [later / first for first, later in zip(seconds["none"], seconds["all"], strict=True)]
    return {
        "batch_size": none.batch_size,
        "rounds": rounds,
        "seconds": {setting: Spread.of(values)._asdict() for setting, values in seconds.items()},
        "times_as_long": Spread.of(ratios)._asdict(),
        "machine": machine(CPU),
    }


def job_of(name: str) -> Job:
    """The timed step of a net."""
    size, classes, batch_size = NETS[name]
    return Job(name, size, classes, batch_size, "32-true", "cpu")


def main() -> None:
    """Measure and print, or with --write keep, the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS))
    parser.add_argument("--only", nargs="+", choices=("memory", "time"), default=["memory", "time"])
    parser.add_argument(
        "--write", action="store_true", help=f"to {RESULT.name}; keeps what is not measured now"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    record = json.loads(RESULT.read_text()) if RESULT.exists() else {"nets": {}}
    for name in options.nets:
        net = record["nets"].setdefault(name, {"image_size": NETS[name][0]})
        if "memory" in options.only:
            net |= count_memory(name)
        if "time" in options.only:
            net |= measure_time(name, options.rounds)
        print(json.dumps({name: net}, indent=2), flush=True)
        if options.write:
            RESULT.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
