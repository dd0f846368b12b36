"""Copies to a GPU on a stream of their own: the same batches in the same order, counted when they are handed out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from resnet_zoo.data.loaders import ImageLoader
from resnet_zoo.data.order import TrainingOrder
from resnet_zoo.data.side_stream import SideStream, side_stream
from resnet_zoo.data.sources import ResidentImages
from tests.data.test_loaders import assert_same

NUM_SAMPLES, BATCH_SIZE = 22, 6
PIXELS = torch.arange(NUM_SAMPLES * 48).remainder(251).to(torch.uint8).view(NUM_SAMPLES, 4, 4, 3)


class Watched(ResidentImages):
    """Images in memory that know how many batches they were asked for."""

    asked = 0

    def fetch(self, positions: Tensor, seeds: Tensor | None) -> Tensor:
        """As they are."""
        self.asked += 1
        return super().fetch(positions, seeds)


def loader_of(device: torch.device | None, num_workers: int = 0) -> ImageLoader:
    """Four batches, the last of four images."""
    source = Watched(PIXELS, torch.arange(NUM_SAMPLES) % 3)
    order = TrainingOrder(NUM_SAMPLES, BATCH_SIZE, seed=0)
    return ImageLoader(source, order, num_workers=num_workers, device=device)


def test_on_the_cpu_nothing_is_copied() -> None:
    cpu = torch.device("cpu")
    assert side_stream(cpu) is None
    assert side_stream(None) is None
    assert_same(list(loader_of(cpu)), list(loader_of(None)))


class Copies:
    """In place of a stream: copies within the main memory."""

    def __init__(self) -> None:
        self.count = 0

    def copy(self, tensor: Tensor) -> Tensor:
        """Another tensor with the same content."""
        self.count += 1
        return tensor.clone()


def test_no_batch_is_fetched_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    expected, copies = list(loader_of(None)), Copies()
    monkeypatch.setattr("resnet_zoo.data.loaders.side_stream", lambda device: copies)
    loader = loader_of(torch.device("cuda"))
    handed_out = iter(loader)
    source = loader.source
    assert isinstance(source, Watched)
    for count in (1, 2, 3):
        assert_same([next(handed_out)], expected[count - 1 : count])
        assert loader.state_dict()["consumed"] == source.asked == count
    assert copies.count == 1 + 3  # the labels of all, and the images of every batch
    continued = loader_of(torch.device("cuda"))
    continued.load_state_dict(loader.state_dict())
    assert_same(list(continued), expected[3:])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, whose streams are under test")
def test_on_a_gpu_batches_are_the_same_and_arrive_while_it_works() -> None:
    device = torch.device("cuda")
    expected = list(loader_of(None))
    for num_workers in (0, 1):
        loader = loader_of(device, num_workers)
        kept = []
        for batch in loader:
            torch.cuda._sleep(10_000_000)  # the net is at work
            assert batch.images.is_cuda
            assert batch.indices.is_cuda
            assert batch.images.is_contiguous(memory_format=torch.channels_last)
            kept.append(batch.images + 0)  # queued behind the net's work, and after the batch's copy
        loader.close()
        for images, other in zip(kept, expected, strict=True):
            assert torch.equal(images.cpu(), other.images)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, whose streams are under test")
def test_a_copy_does_not_wait_for_the_net() -> None:
    stream = SideStream(torch.device("cuda"))
    stream.copy(torch.ones(4))
    torch.cuda.synchronize()
    torch.cuda._sleep(2_000_000_000)  # about a second
    busy = torch.cuda.Event()
    busy.record()
    copied = stream.copy(torch.ones(1 << 20, dtype=torch.uint8))
    stream._stream.synchronize()
    assert not busy.query()
    assert copied.sum().item() == 1 << 20
