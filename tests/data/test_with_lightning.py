"""Data modules under Lightning's Trainer: order, resume, evaluation, prediction."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import GradientAccumulationScheduler
from torch import Tensor, nn

from resnet_zoo.data import Digits, ImageBatch, ImageDataModule, ImageFolder, Synthetic
from resnet_zoo.data.surroundings import Surroundings
from resnet_zoo.errors import InvalidValue

# Lightning 2.6 asks torch's tree specifications a question that torch 2.15 wants asked otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec:FutureWarning")


class Stop(Exception):
    """Ends a run as a crash would."""


class SaveAlways(Callback):
    """Saves after every batch, and where asked at the end of every epoch instead."""

    def __init__(self, path: Path, at_epoch_ends: bool = False) -> None:
        self.path = path
        self.at_epoch_ends = at_epoch_ends

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if not self.at_epoch_ends:
            trainer.save_checkpoint(self.path)

    def on_train_epoch_end(self, trainer: Trainer, *_: Any) -> None:
        if self.at_epoch_ends:
            trainer.save_checkpoint(self.path)


class Recorder(LightningModule):
    """A linear classifier that notes which images it saw, and can crash before a step."""

    def __init__(self, image_size: int = 8, crash_before: int = -1) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(3 * image_size**2, 10)
        self.crash_before = crash_before
        self.trained: list[tuple[int, list[int], list[int]]] = []
        self.evaluated: list[int] = []

    def training_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        assert isinstance(batch, ImageBatch)
        assert batch.images.dtype == torch.float32
        assert batch.seeds is not None
        if self.global_step == self.crash_before:
            raise Stop
        self.trained.append((self.current_epoch, batch.indices.tolist(), batch.seeds.tolist()))
        logits = self.head(batch.images.flatten(1))
        losses = nn.functional.cross_entropy(logits, batch.labels, ignore_index=-1, reduction="none")
        slots = self.trainer.world_size * self.trainer.accumulate_grad_batches
        return losses.sum() * slots / batch.update_size

    def validation_step(self, batch: ImageBatch, batch_idx: int) -> None:
        assert batch.seeds is None
        self.evaluated += [index for index in batch.indices.tolist() if index >= 0]

    test_step = validation_step

    def predict_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        return batch.indices

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.head.parameters(), lr=0.01, momentum=0.9)


def trainer_of(folder: Path, **arguments: Any) -> Trainer:
    """A quiet trainer on the CPU."""
    quiet: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 1,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,
        "default_root_dir": str(folder),
    }
    return Trainer(**quiet | arguments)


def data_of(num_workers: int = 0, **arguments: Any) -> Synthetic:
    """45 images in updates of 10: four full ones and one of five."""
    settings = {
        "image_size": 8,
        "num_train": 45,
        "num_val": 7,
        "num_test": 9,
        "global_batch_size": 10,
        "seed": 3,
    }
    return Synthetic(num_workers=num_workers, **settings | arguments)


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("crash_before", [3, 5, 7], ids=["mid-epoch", "epoch end", "second epoch"])
def test_a_crashed_run_goes_on_exactly(crash_before: int, num_workers: int, tmp_path: Path) -> None:
    whole = Recorder()
    trainer_of(tmp_path, max_epochs=3).fit(whole, data_of())
    crashed = Recorder(crash_before=crash_before)
    checkpoints = SaveAlways(tmp_path / "last.ckpt")
    before = set(multiprocessing.active_children())  # another test may have left some
    with pytest.raises(Stop):
        trainer_of(tmp_path, max_epochs=3, callbacks=[checkpoints]).fit(crashed, data_of(num_workers))
    assert set(multiprocessing.active_children()) <= before
    resumed = Recorder()
    trainer_of(tmp_path, max_epochs=3).fit(
        resumed, data_of(num_workers), ckpt_path=str(tmp_path / "last.ckpt"), weights_only=True
    )
    assert crashed.trained + resumed.trained == whole.trained
    assert torch.equal(resumed.head.weight, whole.head.weight)


def test_a_run_that_ended_at_an_epoch_goes_on_with_the_next(tmp_path: Path) -> None:
    whole, first, second = Recorder(), Recorder(), Recorder()
    trainer_of(tmp_path, max_epochs=2).fit(whole, data_of())
    checkpoints = SaveAlways(tmp_path / "last.ckpt", at_epoch_ends=True)
    trainer_of(tmp_path, max_epochs=1, callbacks=[checkpoints]).fit(first, data_of())
    checkpoint = str(tmp_path / "last.ckpt")
    trainer_of(tmp_path, max_epochs=2).fit(second, data_of(), ckpt_path=checkpoint, weights_only=True)
    assert first.trained + second.trained == whole.trained
    assert torch.equal(second.head.weight, whole.head.weight)


def test_resume_in_mid_epoch_refuses_another_batch_size(tmp_path: Path) -> None:
    checkpoints = SaveAlways(tmp_path / "last.ckpt")
    with pytest.raises(Stop):
        trainer_of(tmp_path, callbacks=[checkpoints]).fit(Recorder(crash_before=2), data_of())
    with pytest.raises(InvalidValue, match="global_batch_size: 10 then, 5 now"):
        trainer_of(tmp_path).fit(
            Recorder(), data_of(global_batch_size=5), ckpt_path=str(tmp_path / "last.ckpt"), weights_only=True
        )


def test_accumulation_trains_the_same_weights(tmp_path: Path) -> None:
    weights = []
    for accumulation in (1, 2, 5):
        model = Recorder()
        trainer = trainer_of(tmp_path, max_epochs=2, accumulate_grad_batches=accumulation)
        trainer.fit(model, data_of())
        assert trainer.global_step == 10
        weights.append(model.head.weight.detach())
    torch.testing.assert_close(weights[1], weights[0], rtol=0, atol=1e-6)
    torch.testing.assert_close(weights[2], weights[0], rtol=0, atol=1e-6)


def test_every_split_is_evaluated_once(tmp_path: Path) -> None:
    data, model = data_of(), Recorder()
    trainer = trainer_of(tmp_path, max_epochs=2)
    trainer.fit(model, data)
    assert model.evaluated == list(range(7)) * 2
    assert data.num_updates_per_epoch() == 5
    model.evaluated.clear()
    trainer.test(model, data, verbose=False)
    assert model.evaluated == list(range(9))
    predicted = trainer.predict(model, data)
    assert predicted is not None
    indices = torch.cat([part for part in predicted if isinstance(part, Tensor)])
    assert indices[indices >= 0].tolist() == list(range(9))


@pytest.mark.filterwarnings("ignore:Total length of `list` across ranks is zero")
def test_no_validation_split_is_no_validation(tmp_path: Path) -> None:
    data, model = data_of(num_val=0), Recorder()
    trainer_of(tmp_path, max_epochs=1).fit(model, data)
    assert not model.evaluated
    with pytest.raises(
        InvalidValue, match=r"Synthetic has no 'val' split as configured. It has: 'train', 'test'\."
    ):
        trainer_of(tmp_path).validate(model, data, verbose=False)


def test_files_and_workers_through_a_whole_fit(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    def data() -> ImageDataModule:
        return ImageFolder(root=str(root), global_batch_size=6, image_size=8, num_workers=2, seed=1)

    root = make_folder()
    models = []
    for limit in (1.0, 1):
        model = Recorder()
        trainer = trainer_of(tmp_path, max_epochs=2, limit_train_batches=limit)
        module = data()
        trainer.fit(model, module)
        assert module._loaders == []  # workers are gone
        assert module.num_updates_per_epoch() == (2 if limit == 1.0 and isinstance(limit, float) else 1)
        models.append(model)
    assert [entry for entry in models[0].trained if entry[0] == 0][:1] == models[1].trained[:1]


def test_overfitting_repeats_the_same_batches(tmp_path: Path) -> None:
    model = Recorder()
    with pytest.warns(UserWarning, match="overfit"):
        trainer_of(tmp_path, max_epochs=2, overfit_batches=2).fit(model, data_of())
    assert [entry[1:] for entry in model.trained[:2]] == [entry[1:] for entry in model.trained[2:]]


def test_batch_size_that_does_not_divide_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="does not divide over 4 accumulated batches"):
        trainer_of(tmp_path, accumulate_grad_batches=4).fit(Recorder(), data_of())
    with pytest.raises(InvalidValue, match="does not divide over 4 ranks"):
        data_of().check_batch_size(4)


def test_changing_accumulation_during_training_is_refused(tmp_path: Path) -> None:
    callback = GradientAccumulationScheduler({0: 1, 1: 2})
    with pytest.raises(InvalidValue, match="GradientAccumulationScheduler"):
        trainer_of(tmp_path, callbacks=[callback]).fit(Recorder(), data_of())


def test_ranks_share_training_and_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[int] = []
    evaluated: list[int] = []
    for rank in range(3):
        around = Surroundings(rank=rank, world_size=3, accumulation=2)
        monkeypatch.setattr(Surroundings, "of", lambda trainer, around=around: around)
        data = data_of(global_batch_size=12)
        train = list(data.train_dataloader())
        assert len(train) == 8
        assert len(train[0].labels) == 2
        trained += [index for batch in train for index in batch.indices.tolist()]
        evaluated += [index for batch in data.test_dataloader() for index in batch.indices.tolist()]
        assert len(next(iter(data.test_dataloader())).labels) == 2
    assert sorted(index for index in trained if index >= 0) == list(range(45))
    assert sorted(index for index in evaluated if index >= 0) == list(range(9))


def test_the_run_s_seed_is_taken_unless_the_data_have_their_own() -> None:
    ours, theirs = data_of(seed=None), data_of(seed=4)
    for data in (ours, theirs):
        data.set_seed(9)
    assert (ours.seed, theirs.seed) == (9, 4)
    first = [next(iter(data_of(seed=seed).train_dataloader())).indices.tolist() for seed in (None, 0, 9)]
    assert first[0] == first[1] != first[2]
    assert next(iter(ours.train_dataloader())).indices.tolist() == first[2]


def test_prepare_is_the_same_for_an_image_in_any_batch() -> None:
    whole = next(iter(Digits(global_batch_size=64, seed=1).train_dataloader()))
    data = Digits(seed=1)
    prepared = data.prepare(whole)
    assert prepared.seeds is not None
    part = ImageBatch(
        whole.images[10:13], whole.labels[10:13], whole.indices[10:13], prepared.seeds[10:13], 64
    )
    assert torch.equal(data.prepare(part).images, prepared.images[10:13])
    evaluation = next(iter(data.test_dataloader()))
    expected = data.normalization.apply(evaluation.images)
    assert torch.equal(data.prepare(evaluation).images, expected)


def test_automatic_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resnet_zoo.data.surroundings.available_cores", lambda: 24)
    assert Surroundings(local_ranks=1).automatic_workers == 16
    assert Surroundings(local_ranks=8).automatic_workers == 3
    assert Surroundings(local_ranks=64).automatic_workers == 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_small_sets_live_on_the_gpu(tmp_path: Path) -> None:
    data = data_of()
    trainer_of(tmp_path, max_epochs=1, accelerator="gpu").fit(Recorder(), data)
    assert data.source("train").labels.is_cuda
