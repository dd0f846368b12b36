"""A training step never waits for the device: nothing in it depends on the value of a number that was computed.

A tensor of the device ``meta`` has no numbers. Whatever asks for one (``item``, ``tolist``, ``bool``, ``nonzero``, an
index by a mask, a copy to the CPU) is an error there, as is a tensor that is made on the CPU and meets one of the
device.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from resnet_zoo import create_backbone
from resnet_zoo.callbacks.averaged_tensors import AveragedTensors
from resnet_zoo.classifier import ImageClassifier
from resnet_zoo.cli import training
from resnet_zoo.data import ImageBatch, Synthetic
from resnet_zoo.data.augmentations import Augmentation, CutMix, Cutout, MixUp, RandomErasing
from resnet_zoo.data.progressive_resizing import averaged_down
from resnet_zoo.data.sources import ResidentImages
from resnet_zoo.optim import HoldUntilTrainError, StepSchedule
from tests.tiny_runs import UPDATES_PER_EPOCH, fit_words

META = torch.device("meta")
IMAGES, SIZE, NUM_CLASSES = 4, 32, 10
AUGMENTATIONS: dict[str, list[Augmentation]] = {
    "none": [],
    "all": [
        RandomErasing(0.5),
        RandomErasing(0.5, fill="noise"),
        Cutout(8),
        MixUp(0.8, 0.5),
        CutMix(1.0, 0.5),
    ],
}


@pytest.fixture(autouse=True)
def nothing_cached() -> Iterator[None]:
    """Constants are kept by device; those of this one mean nothing to anybody else."""
    yield
    for cached in _cached_constants():
        cached.cache_clear()


def _cached_constants() -> list[Any]:
    from resnet_zoo.data import augment, normalization, random
    from resnet_zoo.data.augmentations import betas

    return [
        augment._color_components,
        normalization._constants,
        random._offsets,
        random._bounds,
        betas._quantiles,
    ]


def _classifier(**arguments: Any) -> ImageClassifier:
    net = create_backbone("resnet_cifar", depth=8, width=4, drop_path=0.1)
    return ImageClassifier(net, NUM_CLASSES, label_smoothing=0.1, **arguments).to(META)


def _batch() -> ImageBatch:
    """As a loader gives it out whose images lie on the device."""
    resident = ResidentImages(
        torch.zeros(6, SIZE, SIZE, 3, dtype=torch.uint8), torch.zeros(9, dtype=torch.int64)
    ).to(META)
    positions, seeds = (torch.zeros(IMAGES, dtype=torch.int64, device=META) for _ in range(2))
    return ImageBatch(resident.fetch(positions, seeds), resident.labels[positions], positions, seeds, IMAGES)


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_augmentation_loss_counts_and_update_ask_for_no_number(augment: str, loss: Any) -> None:
    data = Synthetic(
        image_size=SIZE,
        num_train=8,
        num_val=4,
        num_test=4,
        global_batch_size=4,
        augment=AUGMENTATIONS[augment],
    )
    schedule = StepSchedule([1.0], hold=HoldUntilTrainError())
    model = _classifier(loss=loss, lr_schedule=schedule)
    optimizer = model.configure_optimizers()
    average = AveragedTensors(model)
    for _ in range(2):
        batch = data.prepare(_batch())
        assert batch.images.device == META
        model.training_step(batch, 0).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update(0.9)
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_smaller_images_ask_for_no_number() -> None:
    images = torch.empty(IMAGES, 3, SIZE, SIZE, device=META)
    assert averaged_down(images, 16).shape[-1] == 16


@pytest.mark.parametrize(
    "question",
    [Tensor.item, Tensor.tolist, Tensor.cpu, bool, lambda numbers: torch.ones(1, device=META)[numbers > 0]],
    ids=["item", "tolist", "cpu", "bool", "mask"],
)
def test_a_device_without_numbers_answers_none(question: Any) -> None:
    """Otherwise the tests above would prove nothing."""
    with pytest.raises((RuntimeError, NotImplementedError)):
        question(torch.ones(1, device=META))


class Questions(TorchDispatchMode):
    """Counts how often a number was fetched from a tensor."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default)
        return func(*args, **(kwargs or {}))


class Watch(Callback):
    """How many numbers are fetched in each update of a training, with the batch and all callbacks."""

    def __init__(self) -> None:
        self.questions = Questions()
        self.seen: list[int] = []

    def on_train_epoch_start(self, *args: Any) -> None:
        self.questions.__enter__()

    def on_train_batch_end(self, *args: Any) -> None:
        self.seen.append(self.questions.count)
        self.questions.count = 0

    def on_train_epoch_end(self, *args: Any) -> None:
        self.questions.__exit__(None, None, None)


def test_an_update_of_a_whole_training_asks_for_no_number(tmp_path: Any) -> None:
    """With everything that a run has, after the first one, before which the epoch's order is made; a row of metrics
    would be a question, and there is none before the epoch's end.
    """
    watch = Watch()
    words = ["--trainer.max_epochs", "1", "--trainer.log_every_n_steps", "50", "--ema.decay", "0.9"]
    assert (
        training.main(fit_words(tmp_path / "run", *words, "--trainer.gradient_clip_val", "1"), [watch]) == 0
    )
    assert watch.seen[1:] == [0] * (UPDATES_PER_EPOCH - 1)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch reports waiting on CUDA devices only")
def test_a_gpu_is_never_waited_for(tmp_path: Any) -> None:
    class Strict(Callback):
        """From the second update, when memory and constants are there, to the last but one, after which rows follow."""

        def on_train_batch_end(
            self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
        ) -> None:
            strict = batch_idx < trainer.num_training_batches - 2
            torch.cuda.set_sync_debug_mode("error" if strict else "default")

    words = ["--trainer.max_epochs", "1", "--trainer.log_every_n_steps", "50", "--ema.decay", "0.9"]
    try:
        assert (
            training.main(fit_words(tmp_path / "run", *words, "--trainer.accelerator", "gpu"), [Strict()])
            == 0
        )
    finally:
        torch.cuda.set_sync_debug_mode("default")
