"""A training whose loss or weights are no numbers stops, says where, and saves nothing of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import Checkpoint

from resnet_zoo.callbacks import MetricsWriter, TrainingDiverged, assert_finite


class SaveEveryUpdate(Checkpoint):
    """Checks and saves after every update."""

    def __init__(self, folder: Path) -> None:
        self.last = folder / "last.ckpt"

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *args: Any) -> None:
        assert_finite(pl_module)
        trainer.save_checkpoint(self.last)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_the_training_at_the_next_row(
    make_trainer: Any, module: Any, images: Any, memory: Any, value: float
) -> None:
    trainer = make_trainer(callbacks=[MetricsWriter()], logger=memory)
    with pytest.raises(
        TrainingDiverged, match=r"between update 4 and 6 \(epoch 0, learning rate 0.5\)"
    ) as error:
        trainer.fit(module({4: value}), images(32))
    assert "No checkpoint was saved before" in str(error.value)
    assert "--trainer.gradient_clip_val" in str(error.value)
    assert [row["step"] for row in memory.rows] == [3]


def test_before_saving_everything_is_looked_at_and_the_last_good_file_is_named(
    make_trainer: Any, module: Any, images: Any, tmp_path: Path
) -> None:
    saver = SaveEveryUpdate(tmp_path)
    trainer = make_trainer(
        callbacks=[MetricsWriter(), saver], enable_checkpointing=True, log_every_n_steps=50
    )
    with pytest.raises(
        TrainingDiverged, match=r"the training loss is not finite after update 3 \(epoch 0\)"
    ) as error:
        trainer.fit(module({2: math.nan}), images(32))
    assert f"The last good checkpoint is '{saver.last}'" in str(error.value)
    saved = torch.load(saver.last, weights_only=True)
    assert saved["global_step"] == 2
    assert all(weight.isfinite().all() for weight in saved["state_dict"].values())


def test_a_weight_that_is_no_number_is_named(
    make_trainer: Any, module: Any, images: Any, tmp_path: Path
) -> None:
    class Break(Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, *args: Any) -> None:
            with torch.no_grad():
                pl_module.backbone.bias[1] = math.inf

    trainer = make_trainer(callbacks=[Break(), SaveEveryUpdate(tmp_path)], enable_checkpointing=True)
    with pytest.raises(TrainingDiverged, match=r"backbone\.bias is not finite after update 1"):
        trainer.fit(module(), images(32))
    assert not (tmp_path / "last.ckpt").exists()


def test_a_diverged_validation_loss_alone_does_not_stop_the_training(
    make_trainer: Any, module: Any, images: Any, memory: Any
) -> None:
    trained = module()
    trained.validation_step = lambda batch, batch_idx: trained.eval_counts.update(
        torch.zeros(4, 6), torch.zeros(4, dtype=torch.int64), torch.full((4,), math.nan)
    )
    make_trainer(callbacks=[MetricsWriter()], logger=memory).fit(trained, images(32), images(8))
    assert math.isnan(memory.rows[-1]["val/loss"])
