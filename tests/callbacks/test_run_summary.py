"""A training says in two lines what it is made of."""

from __future__ import annotations

from typing import Any

import pytest
from lightning.pytorch import LightningDataModule

from resnet_zoo.callbacks import RunSummary


class TwoBatches(LightningDataModule):
    global_batch_size = 8

    def __init__(self, loader: Any) -> None:
        super().__init__()
        self.loader = loader

    def num_updates_per_epoch(self) -> int:
        return 1234

    def train_dataloader(self) -> Any:
        return self.loader


def test_model_batch_and_loggers_have_a_line_each(
    make_trainer: Any, module: Any, images: Any, memory: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    memory.notice = "W&B: offline (no API key found)"
    trained = module()
    trained.backbone.built_by = {"name": "resnet20_cifar", "arguments": {}}
    trainer = make_trainer(callbacks=[RunSummary()], logger=memory, accumulate_grad_batches=2, max_epochs=1)
    trainer.fit(trained, TwoBatches(images(8)))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "resnet20_cifar: 24 parameters, 6 classes; cpu, 32-true",
        "global batch 8 = 4 images x 1 ranks x 2 accumulated; 1,234 updates an epoch, 1 epochs",
        "W&B: offline (no API key found)",
    ]


def test_frozen_parameters_are_told_apart_and_a_plain_loader_has_no_batch_line(
    make_trainer: Any, module: Any, images: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = module()
    trained.backbone.bias.requires_grad_(False)
    make_trainer(callbacks=[RunSummary()], max_epochs=1).fit(trained, images(8))
    assert capsys.readouterr().err == "Linear: 24 parameters (18 of them trained), 6 classes; cpu, 32-true\n"
