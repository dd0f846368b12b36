"""A net of one layer that counts as the classifier does, and a trainer for it with nothing else on."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import Logger
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from resnet_zoo.callbacks import quieten_lightning
from resnet_zoo.metrics import Scores, TopKCounts

Batch = tuple[Tensor, Tensor]


class CountingModule(LightningModule):
    """Counts its training and its evaluation; ``losses_by_step`` replaces the loss of chosen batches."""

    num_classes = 6

    def __init__(self, losses_by_step: dict[int, float] | None = None) -> None:
        super().__init__()
        self.backbone = nn.Linear(3, 6)
        self.train_counts = TopKCounts(6)
        self.eval_counts = TopKCounts(6)
        self.scores: dict[str, Scores] = {}
        self.ema_scores: dict[str, Scores] = {}
        self.weights_name = "raw"
        self.all_losses: list[Tensor] = []
        self.losses_by_step = losses_by_step or {}

    def learning_rate(self) -> float:
        return 0.5

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.5)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        logits = self.backbone(batch[0])
        losses = cross_entropy(logits, batch[1], reduction="none")
        losses = losses * self.losses_by_step.get(self.global_step, 1.0)
        self.train_counts.update(logits, batch[1], losses)
        self.all_losses.append(losses.detach())
        return losses.mean()

    def on_validation_epoch_start(self) -> None:
        self.eval_counts.reset()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        logits = self.backbone(batch[0])
        self.eval_counts.update(logits, batch[1], cross_entropy(logits, batch[1], reduction="none"))

    def on_validation_epoch_end(self) -> None:
        self._publish("val")

    on_test_epoch_start = on_validation_epoch_start
    test_step = validation_step

    def on_test_epoch_end(self) -> None:
        self._publish("test")

    def _publish(self, split: str) -> None:
        self.eval_counts.all_reduce()
        self.scores[split] = self.eval_counts.scores()
        self.log(f"{split}/top1", self.scores[split].top1, logger=False)


class RowsInMemory(Logger):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, Any]] = []

    @property
    def name(self) -> str:
        return "memory"

    @property
    def version(self) -> str:
        return "7"

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        return None

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.rows.append({"step": step, **metrics})


@pytest.fixture
def images() -> Callable[[int], DataLoader[Any]]:
    """A loader of so many images, four a batch."""

    def loader(count: int) -> DataLoader[Any]:
        generator = torch.Generator().manual_seed(count)
        inputs = torch.randn(count, 3, generator=generator)
        return DataLoader(TensorDataset(inputs, torch.arange(count) % 6), batch_size=4)

    return loader


@pytest.fixture
def module() -> type[CountingModule]:
    torch.manual_seed(0)
    return CountingModule


@pytest.fixture
def memory() -> RowsInMemory:
    return RowsInMemory()


@pytest.fixture
def make_trainer(tmp_path: Path) -> Callable[..., Trainer]:
    """A trainer on the CPU that does nothing but train, unless told to."""

    def make(**settings: Any) -> Trainer:
        quieten_lightning()  # pytest forgets warning filters between a test's set-up and the test
        warnings.filterwarnings("ignore", message="You defined a `validation_step` but have no")
        defaults: dict[str, Any] = {
            "accelerator": "cpu",
            "default_root_dir": tmp_path,
            "enable_checkpointing": False,
            "enable_model_summary": False,
            "enable_progress_bar": False,
            "logger": False,
            "max_epochs": 2,
            "num_sanity_val_steps": 0,
            "log_every_n_steps": 3,
        }
        return Trainer(**{**defaults, **settings})

    return make
