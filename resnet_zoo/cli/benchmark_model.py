"""``resnet-zoo benchmark model``: forward, and forward with backward, of any backbone."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from resnet_zoo.cli.benchmark_backbone import ChosenBackbone, parse_with_backbone
from resnet_zoo.cli.benchmark_job import add_job_options, add_timing_options, job_of
from resnet_zoo.cli.benchmark_record import heading, publish, results_table, timed_record
from resnet_zoo.cli.parser import CommandParser

if TYPE_CHECKING:
    from collections.abc import Callable

    from resnet_zoo.cli.timing.job import Job


def main(argv: list[str]) -> int:
    """Measure and print a table, or with ``--json`` the record."""
    parser = CommandParser(
        "benchmark model",
        "Seconds of a forward pass in evaluation, and of a forward and backward pass in training, of a backbone with\n"
        "its head on random images, channels-last. The backbone's arguments may follow: --shortcut C.",
        "resnet-zoo benchmark model --backbone resnet50 --batch-size 16",
    )
    add_job_options(parser)
    add_timing_options(parser, 3, "passes of a round")
    options, backbone = parse_with_backbone(parser, argv)
    publish(measure_model(options, backbone), options, as_text)
    return 0


def measure_model(options: argparse.Namespace, backbone: ChosenBackbone) -> dict[str, Any]:
    """Forward and forward with backward, in turns; the result in plain types."""
    job, reason = job_of(options, backbone, options.batch_size)

    from resnet_zoo.cli.allocator import keep_memory
    from resnet_zoo.cli.out_of_memory import told_when_too_large
    from resnet_zoo.cli.timing.rounds import Spread, in_turns

    notes = [reason, *([keep_memory()] if job.device == "cpu" else [])]
    with told_when_too_large(job):
        seconds = in_turns(_passes(job), options.steps, options.rounds, job.torch_device)
    operations = {"forward": job.operations / 3, "forward and backward": job.operations}
    spreads = {name: (Spread.of(values), operations[name]) for name, values in seconds.items()}
    return timed_record(job, notes, options, spreads)


def _passes(job: Job) -> dict[str, Callable[[int], None]]:
    """What makes so many passes, for each kind of them with a net of its own."""
    import torch

    size, device = job.image_size, job.torch_device
    images = torch.randn(job.batch_size, 3, size, size, device=device).to(memory_format=torch.channels_last)
    evaluated, trained = (job.model().to(memory_format=torch.channels_last) for _ in range(2))
    evaluated.eval()

    def forward(times: int) -> None:
        for _ in range(times):
            with torch.inference_mode(), job.autocast():
                evaluated(images)

    def forward_and_backward(times: int) -> None:
        for _ in range(times):
            with job.autocast():
                logits = trained(images)
            logits.float().square().mean().backward()
            trained.zero_grad()

    return {"forward": forward, "forward and backward": forward_and_backward}


def as_text(record: dict[str, Any]) -> str:
    """The measurement as a table."""
    return "\n".join([*heading(record), *results_table(record, "")])
