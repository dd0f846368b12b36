"""``resnet-zoo benchmark batch``: the largest batch of which a training step fits into memory."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from resnet_zoo.cli.benchmark_backbone import parse_with_backbone
from resnet_zoo.cli.benchmark_job import add_job_options, job_of
from resnet_zoo.cli.benchmark_record import publish, record_of
from resnet_zoo.cli.free_memory import free_memory
from resnet_zoo.cli.parser import CommandParser, positive_int
from resnet_zoo.errors import InvalidValue

if TYPE_CHECKING:
    from resnet_zoo.cli.timing.job import Job

STEPS = 2
"""Tried with each size: the second one is made beside the optimizer's state, which the first one brings into being."""


def main(argv: list[str]) -> int:
    """Search or estimate the size and print it, or with ``--json`` the record.

    Raises:
        InvalidValue: not even one image fits, or nobody knows how much memory there is.
    """
    options, backbone = parse_with_backbone(_parser(), argv)
    job, reason = job_of(options, backbone, batch_size=1)
    tries = job.device == "cuda" and options.memory is None
    found = search(job, options.most) if tries else _estimate(job, options)
    if found["largest_batch"] == 0:
        raise InvalidValue(
            f"not even one image of {job.image_size}x{job.image_size} pixels fits. Use a smaller net or image size, or "
            "--activation-checkpointing all."
        )
    publish({**record_of(job, [reason]), "most": options.most, **found}, options, as_text)
    return 0


def _parser() -> CommandParser:
    parser = CommandParser(
        "benchmark batch",
        "The largest number of images of which a training step (forward, backward, SGD with momentum) fits into\n"
        "memory. On a GPU it is found by trying: doubling, then halving the gap. Elsewhere, where a program that\n"
        "takes too much is ended without a word, or for a GPU that is not at hand (--memory), it is estimated: the\n"
        "bytes of all tensors of a step are counted at two small sizes. The backbone's arguments may follow.",
        "resnet-zoo benchmark batch --backbone resnet50 --image-size 224",
    )
    add_job_options(parser)
    parser.add_argument("--most", type=positive_int, default=65536, help="images to try, or to think of")
    parser.add_argument(
        "--memory", type=positive_int, metavar="GIB", help="estimate for so much; else for what is free here"
    )
    return parser


def search(job: Job, most: int) -> dict[str, Any]:
    """Try batches up to ``most`` images on the job's GPU."""
    bytes_by_size: dict[int, int] = {}
    largest = largest_that_fits(lambda size: fits(replace(job, batch_size=size), bytes_by_size), most)
    return {"largest_batch": largest, "bytes": bytes_by_size.get(largest), "estimated_for": None}


def _estimate(job: Job, options: argparse.Namespace) -> dict[str, Any]:
    """From tensors counted on the CPU: they are as large everywhere."""
    memory = free_memory() if options.memory is None else options.memory * 2**30
    if memory is None:
        raise InvalidValue("this system does not say how much memory is free. Give it: --memory 16.")

    from resnet_zoo.cli.timing.tensor_memory import MemoryNeed
    from resnet_zoo.cli.timing.training_step import TrainingStep

    here = replace(job, device="cpu")
    need = MemoryNeed(lambda images: TrainingStep(replace(here, batch_size=images)))
    largest = need.largest_batch(memory, options.most)
    peak = need.peak(largest)
    return {
        "largest_batch": largest,
        "bytes": peak.at(largest),
        "estimated_for": memory,
        "need": peak._asdict(),
    }


def largest_that_fits(fits_size: Callable[[int], bool], most: int) -> int:
    """The largest number from 1 to ``most`` that fits, where all below one that fits do too; 0 if 1 does not."""
    known, tried = 0, 1
    while tried <= most and fits_size(tried):
        known, tried = tried, 2 * tried
    too_many = min(tried, most + 1)
    while too_many - known > 1:
        middle = (known + too_many) // 2
        if fits_size(middle):
            known = middle
        else:
            too_many = middle
    return known


def fits(job: Job, bytes_by_size: dict[int, int]) -> bool:
    """Whether steps of the job fit; if so, the most bytes that they took are noted under the batch size."""
    import torch

    from resnet_zoo.cli.out_of_memory import is_out_of_memory

    try:
        bytes_by_size[job.batch_size] = train_once(job)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return False
    finally:
        gc.collect()
        torch.cuda.empty_cache()
    return True


def train_once(job: Job) -> int:
    """A few training steps on random images.

    Returns:
        the most bytes that were in use on the device.
    """
    import torch

    from resnet_zoo.cli.timing.training_step import TrainingStep

    device = job.torch_device
    torch.cuda.reset_peak_memory_stats(device)
    step = TrainingStep(job)
    for _ in range(STEPS):
        step()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device)


def as_text(record: dict[str, Any]) -> str:
    """The result in two lines."""
    size, largest = record["image_size"], f"{record['largest_batch']:,}"
    what = f"{record['backbone']}, {size}x{size} pixels, {record['precision']}"
    if record["activation_checkpointing"] != "none":
        what += ", activation checkpointing"
    if record["estimated_for"] is None:
        limit = "at least" if record["largest_batch"] == record["most"] else "at most"
        return (
            f"{what}, on {record['machine']['device']}: {limit} {largest} images a step, {_gib(record['bytes'])}.\n"
            "Leave some room: other programs, and the loader's batches, need memory too."
        )
    need = record["need"]
    return (
        f"{what}, in {_gib(record['estimated_for'])}: an estimated {largest} images a step, of "
        f"{need['per_image'] / 2**20:,.1f} MiB each beside {need['fixed'] / 2**20:,.1f} MiB.\n"
        "Only tensors are counted. Leave some room: workspaces of convolutions, the process itself and the loader's "
        "batches need memory too."
    )


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"
