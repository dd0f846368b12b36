"""The same training, and moving average, on any number of ranks, with and without accumulation."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from lightning.pytorch import Callback, LightningModule
from torch import Tensor, nn

from resnet_zoo.callbacks.sync_batch_norm import CpuSyncBatchNorm, SyncBatchNormEverywhere
from resnet_zoo.cli import training
from resnet_zoo.cli.main import main
from tests.ranks import run_on_ranks

# 5 updates an epoch, the last one of 10 images: an odd share for 3 and 4 ranks.
CONFIG = """
trainer: {max_epochs: 4, accelerator: cpu, enable_progress_bar: false, limit_val_batches: 0, limit_test_batches: 1}
model:
  optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.02, momentum: 0.9, weight_decay: 1e-3}}
  lr_schedule: {class_path: OneCycleSchedule}
data:
  class_path: Synthetic
  init_args: {image_size: 8, num_train: 58, num_val: 4, num_test: 4, num_distinct: 58, global_batch_size: 12}
ema: {decay: 0.7}
logger: none
"""
WITHOUT_NORM = ("--model.backbone", "tests.small_nets.convolutional", "--model.backbone.norm", "false")
WITH_NORM = ("--model.backbone", "tests.small_nets.convolutional")
SYNCHRONISED = (*WITH_NORM, "--trainer.sync_batchnorm", "true")


def _train(folder: Path, world_size: int, accumulation: int, *words: str) -> dict[str, Tensor]:
    """The weights after 20 updates, and their average."""
    (folder / "config.yaml").write_text(CONFIG)
    run = folder / f"{world_size}-{accumulation}"
    given = ["fit", "--config", str(folder / "config.yaml"), "--run_dir", str(run), *words]
    given += ["--trainer.accumulate_grad_batches", str(accumulation)]
    assert run_on_ranks(world_size, main, given) == [0] * world_size
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 20
    averaged = {f"average of {name}": value for name, value in checkpoint["ema"]["state_dict"].items()}
    return {**checkpoint["state_dict"], **averaged}


def _distance(first: dict[str, Tensor], second: dict[str, Tensor]) -> float:
    return max(float((first[key].double() - second[key].double()).abs().max()) for key in first)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    return _train(tmp_path_factory.mktemp("alone"), 1, 1, *WITHOUT_NORM)


LATER = pytest.mark.slow


@pytest.mark.parametrize(
    ("world_size", "accumulation"),
    [(3, 2), (4, 1), *(pytest.param(*sizes, marks=LATER) for sizes in ((1, 4), (2, 1), (2, 3), (3, 1)))],
)
def test_without_batch_norm_the_weights_agree(
    alone: dict[str, Tensor], tmp_path: Path, world_size: int, accumulation: int
) -> None:
    weights = _train(tmp_path, world_size, accumulation, *WITHOUT_NORM)
    assert _distance(alone, weights) < 2e-6


@pytest.mark.slow
def test_augmentation_and_its_losses_do_not_depend_on_the_ranks(tmp_path: Path) -> None:
    """All but the partners of MixUp and CutMix, which are found within a rank's batch."""
    words = ("--data.augment", "[TrivialAugmentWide, RandomErasing]", "--data.num_workers", "0")
    words += ("--data.repeated_augmentation", "3", "--model.loss", "binary_cross_entropy", *WITHOUT_NORM)
    weights = [
        _train(tmp_path, world_size, accumulation, *words) for world_size, accumulation in ((1, 1), (3, 2))
    ]
    assert _distance(*weights) < 2e-6


def test_plain_batch_norm_sees_its_own_rank_s_images(tmp_path: Path) -> None:
    """What docs/training.md warns of is so; otherwise the test after this one would prove nothing."""
    assert _distance(_train(tmp_path, 1, 1, *WITH_NORM), _train(tmp_path, 2, 1, *WITH_NORM)) > 1e-3


@pytest.mark.parametrize(
    ("world_size", "accumulation"),
    [(3, 1), *(pytest.param(*sizes, marks=LATER) for sizes in ((2, 1), (2, 2)))],
)
def test_synchronised_batch_norm_agrees(tmp_path: Path, world_size: int, accumulation: int) -> None:
    first = _train(tmp_path, 1, accumulation, *SYNCHRONISED)
    assert _distance(first, _train(tmp_path, world_size, accumulation, *SYNCHRONISED)) < 1e-5


class _KeepsAverage(Callback):
    parameters: ClassVar[list[float]] = []

    def on_save_checkpoint(
        self, trainer: Any, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        averaged = checkpoint["ema"]["state_dict"]
        values = [averaged[name].flatten() for name, _ in pl_module.named_parameters()]
        _KeepsAverage.parameters = torch.cat(values).tolist()


def _average_of_this_rank(words: list[str]) -> list[float]:
    assert training.main(words, [_KeepsAverage()]) == 0
    return _KeepsAverage.parameters


def test_every_rank_has_the_same_averaged_parameters(tmp_path: Path) -> None:
    """No rank tells another, so that this must come out by itself."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    words = ["fit", "--config", str(tmp_path / "config.yaml"), "--run_dir", str(tmp_path / "run"), *WITH_NORM]
    first, second = run_on_ranks(2, _average_of_this_rank, [*words, "--trainer.max_epochs", "1"])
    assert first == second
    assert len(set(first)) > 100


def _forward_and_backward() -> tuple[list[Any], list[Any]]:
    """Batch norm over three ranks with unequal shares of a batch, and the same batch in one piece."""
    import torch.distributed as dist

    dist.init_process_group("gloo")
    rank = dist.get_rank()
    images = torch.randn(9, 3, 4, 4, generator=torch.Generator().manual_seed(1)) * 3 + 100
    factors = torch.randn(9, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    piece = [slice(0, 2), slice(2, 5), slice(5, 9)][rank]
    outcomes = []
    for synchronised in (True, False):
        layer: nn.Module = nn.BatchNorm2d(3)
        if synchronised:
            layer = SyncBatchNormEverywhere(on_cpu=lambda: True).apply(layer)
            assert type(layer) is CpuSyncBatchNorm
        given = (images[piece] if synchronised else images).clone().requires_grad_()
        output = layer(given)
        (output * (factors[piece] if synchronised else factors)).sum().backward()
        assert given.grad is not None
        gradients = [parameter.grad for parameter in layer.parameters()]
        if synchronised:
            for gradient in gradients:
                dist.all_reduce(gradient)
        own = slice(None) if synchronised else piece
        values = [output[own], given.grad[own], *gradients, *(buffer.double() for buffer in layer.buffers())]
        outcomes.append([value.detach().tolist() for value in values])
    return outcomes[0], outcomes[1]


def test_the_layer_over_ranks_is_the_layer_over_the_whole_batch() -> None:
    for synchronised, whole in run_on_ranks(3, _forward_and_backward):
        for first, second in zip(synchronised, whole, strict=True):
            torch.testing.assert_close(torch.tensor(first), torch.tensor(second), rtol=1e-4, atol=1e-4)


def test_alone_it_is_torch_s_own_layer() -> None:
    images = torch.randn(4, 3, 2, 2)
    plain, converted = (
        nn.BatchNorm2d(3),
        SyncBatchNormEverywhere(on_cpu=lambda: True).apply(nn.BatchNorm2d(3)),
    )
    assert torch.equal(plain(images), converted(images))
    assert torch.equal(plain.eval()(images), converted.eval()(images))
    assert type(SyncBatchNormEverywhere(on_cpu=lambda: True).revert(converted)) is nn.BatchNorm2d
