"""Batches in shared memory: no copies on the way, and none is written over while anybody holds it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch

from resnet_zoo.data.loaders import ImageLoader
from resnet_zoo.data.order import EvaluationOrder, TrainingOrder
from resnet_zoo.data.scan import index_classes
from resnet_zoo.data.slots import (
    BATCHES_IN_ADVANCE,
    BATCHES_IN_USE,
    InSlot,
    SharedMemory,
    Slot,
    Slots,
    empty_batch,
    offering,
)
from resnet_zoo.data.sources import FileImages
from resnet_zoo.data.transforms import CenterCrop, RandomResizedCrop

CLASSES = ["cat", "dog", "owl"]


@pytest.fixture
def files(make_folder: Callable[[list[str]], Path]) -> FileImages:
    """A few images in files."""
    return FileImages(index_classes(str(make_folder(["train"]) / "train"), CLASSES), RandomResizedCrop(16))


def test_a_slot_is_free_when_nothing_refers_to_its_memory() -> None:
    slots = Slots(2)
    assert slots.take() is None  # they have no size yet
    slots.grow(100)
    first, second = slots.take(), slots.take()
    assert first is not None
    assert second is not None
    assert slots.take() is None
    slots.memory.tensor(first)[:12] = torch.arange(12, dtype=torch.uint8)
    batch = slots.open(InSlot(first.number, (1, 2, 2, 3)))
    assert batch.permute(0, 2, 3, 1).flatten().tolist() == list(range(12))
    view, array = batch[0, 1], batch.numpy()
    del batch
    gc.collect()
    assert slots.num_free == 0
    assert view.tolist() == [[1, 4], [7, 10]]
    del view
    gc.collect()
    assert slots.num_free == 0
    del array
    gc.collect()
    assert slots.num_free == 1


def write_ones(memory: SharedMemory, slot: Slot) -> None:
    """Runs in another process."""
    memory.tensor(slot)[:12] = 1


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_memory_reaches_a_process_however_it_is_started(method: str) -> None:
    slots = Slots(1)
    slots.grow(100)
    slot = slots.take()
    assert slot is not None
    process = get_context(method).Process(target=write_ones, args=(slots.memory, slot))  # type: ignore[attr-defined]
    process.start()
    process.join()
    assert process.exitcode == 0
    assert slots.open(InSlot(slot.number, (1, 2, 2, 3))).sum() == 12


def test_larger_batches_replace_the_slots() -> None:
    slots = Slots(1)
    slots.grow(100)
    small = slots.take()
    assert small is not None
    slots.grow(small.capacity + 1)
    slots.give_back(small.number)  # comes late, and is of no more use
    large = slots.take()
    assert large is not None
    assert large.capacity > small.capacity
    assert slots.take() is None
    assert large.offset >= small.offset + small.capacity


def test_memory_is_used_where_it_is_offered_and_large_enough() -> None:
    memory = torch.zeros(100, dtype=torch.uint8)
    with offering(memory):
        assert empty_batch(2, 4).data_ptr() == memory.data_ptr()
        assert empty_batch(3, 4).data_ptr() != memory.data_ptr()
    assert empty_batch(2, 4).data_ptr() != memory.data_ptr()


def test_batches_that_are_kept_are_never_written_over(files: FileImages) -> None:
    """More batches than slots, over several epochs, all of them kept: workers fall back on copies."""
    order = TrainingOrder(len(files.index), 2, seed=0)
    expected = ImageLoader(files, order)
    loader = ImageLoader(files, order, num_workers=1)
    kept: list[tuple[torch.Tensor, torch.Tensor]] = []
    try:
        for epoch in range(3):
            loader.set_epoch(epoch)
            expected.set_epoch(epoch)
            kept += [(own.images, other.images) for own, other in zip(loader, expected, strict=True)]
    finally:
        loader.close()
    assert len(kept) > BATCHES_IN_ADVANCE + BATCHES_IN_USE
    for own, other in kept:
        assert torch.equal(own, other)


def test_memory_is_used_again_and_no_more_of_it_taken(files: FileImages) -> None:
    source = FileImages(files.index, CenterCrop(16, 16))
    loader = ImageLoader(source, EvaluationOrder(len(files.index), 2), num_workers=1)
    addresses = set()
    try:
        for _ in range(4):
            addresses |= {batch.images.data_ptr() for batch in loader}
            next(iter(loader))  # an epoch that is left half-way takes no slots with it
    finally:
        loader.close()
    copied = 1 + BATCHES_IN_ADVANCE  # before the size of a batch is known
    assert len(addresses) <= BATCHES_IN_ADVANCE + BATCHES_IN_USE + copied


def test_a_batch_of_another_size_is_right_too(files: FileImages) -> None:
    small = FileImages(files.index, CenterCrop(8, 8))
    loader = ImageLoader(small, EvaluationOrder(len(files.index), 3), num_workers=1)
    try:
        for batch, other in zip(
            loader, ImageLoader(small, EvaluationOrder(len(files.index), 3)), strict=True
        ):
            assert np.array_equal(batch.images.numpy(), other.images.numpy())
    finally:
        loader.close()
