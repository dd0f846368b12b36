"""``resnet-zoo benchmark batch``: the largest batch of which a training step fits into a GPU's memory."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from resnet_zoo.cli.benchmark_job import add_job_options, job_of, publish, record_of
from resnet_zoo.cli.parser import CommandParser, positive_int
from resnet_zoo.errors import InvalidValue

if TYPE_CHECKING:
    from resnet_zoo.cli.timing.job import Job

STEPS = 2
"""Tried with each size: the second one is made beside the optimizer's state, which the first one brings into being."""


def main(argv: list[str]) -> int:
    """Search and print the size, or with ``--json`` the record.

    Raises:
        InvalidValue: the device is not a GPU, or not even one image fits.
    """
    parser = CommandParser(
        "benchmark batch",
        "The largest number of images of which a training step (forward, backward, SGD with momentum) fits into the\n"
        "memory of one GPU, found by trying: doubling, then halving the gap. The backbone's arguments may follow.",
        "resnet-zoo benchmark batch resnet50 --image-size 224",
    )
    parser.add_argument("name", help="a name from 'resnet-zoo list', or an import path")
    add_job_options(parser)
    parser.add_argument("--most", type=positive_int, default=65536, help="images to try")
    options, rest = parser.parse_known_args(argv)
    job, reason = job_of(options, options.name, rest, batch_size=1)
    if job.device != "cuda":
        raise InvalidValue(
            f"the largest batch can be found on a GPU only, and this would run on {job.device}: a system that runs "
            "out of memory ends programs instead of telling them. Use a machine with a GPU."
        )
    bytes_by_size: dict[int, int] = {}
    largest = largest_that_fits(lambda size: fits(replace(job, batch_size=size), bytes_by_size), options.most)
    if largest == 0:
        raise InvalidValue(
            f"not even one image of {job.image_size}x{job.image_size} pixels fits. Use a smaller net or image size."
        )
    record = {**record_of(job, [reason]), "largest_batch": largest, "bytes": bytes_by_size[largest]}
    publish(record, options, as_text)
    return 0


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

    try:
        bytes_by_size[job.batch_size] = train_once(job)
    except torch.OutOfMemoryError:
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
    from torch.nn.functional import cross_entropy

    from resnet_zoo.cli.timing.job import OPTIMIZER

    device = job.torch_device
    torch.cuda.reset_peak_memory_stats(device)
    net = job.model().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), **OPTIMIZER)
    images = torch.randn(job.batch_size, 3, job.image_size, job.image_size, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.zeros(job.batch_size, dtype=torch.int64, device=device)
    for _ in range(STEPS):
        with job.autocast():
            logits = net(images)
        optimizer.zero_grad()
        cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device)


def as_text(record: dict[str, Any]) -> str:
    """The result in two lines."""
    size = record["image_size"]
    return (
        f"{record['backbone']}, {size}x{size} pixels, {record['precision']}, on {record['machine']['device']}: at most "
        f"{record['largest_batch']:,} images a step, {record['bytes'] / 2**30:.2f} GiB.\n"
        "Leave some room: other programs, and the loader's batches, need memory too."
    )
