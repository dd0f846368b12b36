"""The loader: resumable at every batch, the same with any number of workers, clear when a worker fails."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from resnet_zoo.data import ImageBatch, UnreadableImage, WorkerFailure
from resnet_zoo.data.loaders import ImageLoader
from resnet_zoo.data.order import EvaluationOrder, TrainingOrder
from resnet_zoo.data.scan import index_classes
from resnet_zoo.data.sources import FileImages, ResidentImages
from resnet_zoo.data.transforms import RandomResizedCrop
from resnet_zoo.errors import InvalidValue

NUM_SAMPLES, BATCH_SIZE = 22, 6  # four batches, the last of four images
SOURCE = ResidentImages(
    torch.randint(0, 256, (NUM_SAMPLES, 4, 4, 3), dtype=torch.uint8), torch.arange(NUM_SAMPLES) % 3
)


def loader_of(num_workers: int = 0, batch_size: int = BATCH_SIZE, seed: int = 0) -> ImageLoader:
    """A training loader on one rank."""
    return ImageLoader(SOURCE, TrainingOrder(NUM_SAMPLES, batch_size, seed), num_workers=num_workers)


def assert_same(first: list[ImageBatch], second: list[ImageBatch]) -> None:
    """Bit by bit."""
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        for left, right in zip(one, other, strict=True):
            assert torch.equal(left, right) if isinstance(left, Tensor) else left == right


def test_batches_hold_the_images_of_their_indices() -> None:
    batches = list(loader_of())
    assert [len(batch.labels) for batch in batches] == [6, 6, 6, 4]
    assert [batch.update_size for batch in batches] == [6, 6, 6, 4]
    for batch in batches:
        assert torch.equal(batch.images.permute(0, 2, 3, 1), SOURCE.images[batch.indices])
        assert torch.equal(batch.labels, SOURCE.labels[batch.indices])
        assert batch.images.is_contiguous(memory_format=torch.channels_last)


def test_padding_is_labelled_minus_one() -> None:
    order = TrainingOrder(NUM_SAMPLES, 20, 0, rank=3, world_size=4)  # two images left for four ranks
    last = list(ImageLoader(SOURCE, order))[-1]
    assert (last.labels.tolist(), last.indices.tolist(), last.update_size) == ([-1, -1], [-1, -1], 2)
    evaluation = list(ImageLoader(SOURCE, EvaluationOrder(NUM_SAMPLES, 8)))[-1]
    assert evaluation.labels.tolist()[6:] == [-1, -1]
    assert evaluation.seeds is None
    assert evaluation.update_size == 0


def test_workers_change_nothing_and_outlive_an_epoch() -> None:
    alone, helped = loader_of(), loader_of(num_workers=2)
    pids = []
    for epoch in (0, 1):
        alone.set_epoch(epoch)
        helped.set_epoch(epoch)
        assert_same(list(alone), list(helped))
        pids.append(worker_pids(helped))
    assert len(pids[0]) == 2
    assert pids[0] == pids[1]
    helped.close()


def worker_pids(loader: ImageLoader) -> list[int]:
    """Process numbers of a loader's workers."""
    return [worker.pid for worker in loader._iterator._workers]


def test_closing_ends_the_workers() -> None:
    loader = loader_of(num_workers=2)
    next(iter(loader))
    workers = loader._iterator._workers
    loader.close()
    # By themselves: those that were waited for in vain are killed.
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(list(loader)) == 4
    loader.close()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_continues_exactly_from_every_batch(num_workers: int) -> None:
    reference = loader_of()
    reference.set_epoch(5)
    expected = list(reference)
    continued = loader_of(num_workers)
    for consumed in range(len(expected) + 1):
        interrupted = loader_of()
        interrupted.set_epoch(5)
        batches = iter(interrupted)
        for _ in range(consumed):
            next(batches)
        state = interrupted.state_dict()
        assert state["consumed"] == consumed
        continued.load_state_dict(state)
        continued.set_epoch(5)
        assert_same(list(continued), expected[consumed:])
        continued.set_epoch(6)
        assert len(list(continued)) == len(expected)
    continued.close()


def test_batches_that_workers_prefetched_do_not_count_as_consumed() -> None:
    loader = loader_of(num_workers=2)
    batches = iter(loader)
    next(batches)
    assert loader._iterator._worker_result_queue._reader.poll(60), "the next one has come"
    assert loader.state_dict()["consumed"] == 1
    loader.close()


def test_a_finished_epoch_continues_with_the_next_one() -> None:
    finished = loader_of()
    finished.set_epoch(2)
    list(finished)
    continued, expected = loader_of(), loader_of()
    continued.load_state_dict(finished.state_dict())
    continued.set_epoch(3)
    expected.set_epoch(3)
    assert_same(list(continued), list(expected))


def test_state_before_the_first_batch_after_loading_is_what_was_loaded() -> None:
    loader = loader_of()
    iterator = iter(loader)
    next(iterator)
    state = loader.state_dict()
    fresh = loader_of()
    fresh.load_state_dict(state)
    assert fresh.state_dict() == state


def test_a_second_pass_over_the_same_epoch_starts_over() -> None:
    loader = loader_of(num_workers=1)
    batches = iter(loader)
    next(batches)
    assert_same(list(loader), list(loader_of()))
    loader.close()


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (loader_of(batch_size=11), "global_batch_size: 6 then, 11 now"),
        (loader_of(seed=1), "seed: 0 then, 1 now"),
    ],
)
def test_the_middle_of_another_order_is_refused_and_its_end_is_not(other: ImageLoader, named: str) -> None:
    loader = loader_of()
    batches = iter(loader)
    next(batches)
    with pytest.raises(InvalidValue, match=named):
        other.load_state_dict(loader.state_dict())
    list(batches)
    other.load_state_dict(loader.state_dict() | {"consumed": len(other)})


def test_a_different_number_of_ranks_may_continue() -> None:
    whole = list(loader_of())
    iterator = iter(loader := loader_of())
    next(iterator)
    state = loader.state_dict()
    rest: list[list[int]] = []
    for rank in range(2):
        half = ImageLoader(SOURCE, TrainingOrder(NUM_SAMPLES, BATCH_SIZE, 0, rank, 2))
        half.load_state_dict(state)
        rest.append([index for batch in half for index in batch.indices.tolist()])
    assert sorted(rest[0] + rest[1]) == sorted(
        index for batch in whole[1:] for index in batch.indices.tolist()
    )


def test_overfitting_shows_the_same_epoch_again() -> None:
    loader = ImageLoader(SOURCE, TrainingOrder(NUM_SAMPLES, BATCH_SIZE, 0), reshuffle=False)
    loader.set_epoch(7)
    assert_same(list(loader), list(loader_of()))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_the_global_generator_is_left_alone(num_workers: int) -> None:
    before = torch.get_rng_state()
    loader = loader_of(num_workers)
    list(loader)
    assert torch.equal(before, torch.get_rng_state())
    loader.close()


def file_loader(root: Path, num_workers: int, batch_size: int = 4) -> ImageLoader:
    """A loader that decodes files."""
    index = index_classes(str(root / "train"), ["cat", "dog", "owl"])
    source = FileImages(index, RandomResizedCrop(16))
    return ImageLoader(source, TrainingOrder(len(index), batch_size, 0), num_workers=num_workers)


def test_files_are_the_same_with_and_without_workers_and_in_other_batches(
    make_folder: Callable[..., Path],
) -> None:
    root = make_folder()
    alone, helped, other = (file_loader(root, *arguments) for arguments in ((0, 4), (2, 4), (0, 6)))
    batches = list(alone)
    assert_same(batches, list(helped))
    by_index = {
        int(i): image for batch in other for i, image in zip(batch.indices, batch.images, strict=True)
    }
    for batch in batches:
        for index, image in zip(batch.indices.tolist(), batch.images, strict=True):
            assert torch.equal(image, by_index[index])
    helped.close()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_broken_file_is_named_and_nothing_takes_its_place(
    num_workers: int, make_folder: Callable[..., Path]
) -> None:
    root = make_folder()
    broken = root / "train" / "dog" / "002.jpg"
    broken.write_bytes(broken.read_bytes()[:100])
    loader = file_loader(root, num_workers)
    before = set(multiprocessing.active_children())
    with pytest.raises(UnreadableImage) as caught:
        list(loader)
    assert caught.value.path == str(broken)
    assert set(multiprocessing.active_children()) <= before  # the error has ended the workers


class Hanging:
    """A source whose first batch does not come before the end."""

    labels = SOURCE.labels
    index = None

    def __init__(self) -> None:
        self.end = multiprocessing.get_context("fork").Event()

    def fetch(self, positions: Tensor, seeds: Tensor | None) -> Tensor:
        """Blank images, in the end."""
        self.end.wait(60)
        return torch.zeros(len(positions), 3, 4, 4, dtype=torch.uint8)


class Murdered(Hanging):
    """A source whose process is killed, as the kernel does when memory runs out."""

    def fetch(self, positions: Tensor, seeds: Tensor | None) -> Tensor:
        """Does not return."""
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


@pytest.mark.parametrize("handled", [True, False])
def test_a_worker_that_dies_is_reported_as_such(handled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resnet_zoo.data.workers.POLL_SECONDS", 0.5)
    before = signal.getsignal(signal.SIGCHLD)
    if not handled:  # as Lightning leaves it after a run
        loader_of(num_workers=1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    loader = ImageLoader(Murdered(), TrainingOrder(NUM_SAMPLES, BATCH_SIZE, 0), num_workers=1)
    with pytest.raises(WorkerFailure, match="a data worker died: probably out of memory or /dev/shm"):
        list(loader)
    signal.signal(signal.SIGCHLD, before)


def test_a_worker_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # It will not end when it is told to.
    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 0.1)
    source = Hanging()
    loader = ImageLoader(source, TrainingOrder(NUM_SAMPLES, BATCH_SIZE, 0), num_workers=1, timeout=1)
    with pytest.raises(WorkerFailure, match="no batch arrived from the 1 data workers within 1 s"):
        list(loader)
    source.end.set()


class Buggy(Hanging):
    """A source with a programmer's mistake."""

    def fetch(self, positions: Tensor, seeds: Tensor | None) -> Tensor:
        """Fails."""
        raise RuntimeError("our own fault")


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_mistake_of_ours_keeps_its_traceback(num_workers: int) -> None:
    loader = ImageLoader(Buggy(), TrainingOrder(NUM_SAMPLES, BATCH_SIZE, 0), num_workers=num_workers)
    with pytest.raises(RuntimeError, match="our own fault") as caught:
        list(loader)
    assert not isinstance(caught.value, WorkerFailure)
    loader.close()
