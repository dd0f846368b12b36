"""``resnet-zoo benchmark``: measurements of speed, chosen by the first word."""

from __future__ import annotations

from resnet_zoo.cli.commands import Command, CommandGroup

main = CommandGroup(
    "benchmark",
    "Measure speed, in interleaved rounds where several are compared.",
    {
        "data": Command("resnet_zoo.cli.benchmark_data", "images per second through a config's loader"),
        "step": Command("resnet_zoo.cli.benchmark_step", "a training step of ours, beside bare loops"),
        "model": Command("resnet_zoo.cli.benchmark_model", "forward and backward passes of a backbone"),
        "scaling": Command("resnet_zoo.cli.benchmark_scaling", "a training step on one rank and on several"),
        "batch": Command("resnet_zoo.cli.benchmark_batch", "the largest batch that fits into memory"),
    },
    "resnet-zoo benchmark data --config r50_imagenet",
).main
