"""The memory of a worker does not grow with the images it has read."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from resnet_zoo.data import ImageFolder
from resnet_zoo.data.benchmark.contenders import Job, Ours
from tests.data.pictures import picture

IMAGES = 3000
ALLOWED_GROWTH = 6 << 20  # bytes; what is allocated once and for all comes in the first pass


def private_bytes(process: int) -> int:
    """Memory that belongs to a process alone."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Private_"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux tells")
def test_memory_of_workers_is_flat_over_an_epoch(tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / split / "a").mkdir(parents=True)
        for number in range(8):
            picture(number, 300 + 20 * number, 400).save(tmp_path / split / "a" / f"{number}.jpg")
    # A page that this process writes to is the worker's own from then on. What stood here before the worker did is not
    # its memory, and a collection of garbage would write to all of it.
    gc.collect()
    gc.freeze()
    data = ImageFolder(root=str(tmp_path), global_batch_size=8)
    ours = Ours(Job.of(data, "train", IMAGES, num_workers=1), normalise=False)
    try:
        for _ in ours.batches():
            pass
        (worker,) = ours.worker_processes()
        before = private_bytes(worker)
        for _ in ours.batches():
            pass
        assert private_bytes(worker) - before < ALLOWED_GROWTH
    finally:
        ours.close()
        gc.unfreeze()
