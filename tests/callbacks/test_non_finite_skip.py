"""An update that is no number can be left out: nothing of it stays, and only so many are allowed."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from resnet_zoo.callbacks import MetricsWriter, NonFiniteSettings, SkipNonFinite, TrainingDiverged
from resnet_zoo.errors import InvalidValue


def images_with(bad: set[int]) -> DataLoader[Any]:
    """Eight batches of four; those named hold a NaN."""
    inputs = torch.randn(32, 3, generator=torch.Generator().manual_seed(1))
    for batch in bad:
        inputs[4 * batch] = math.nan
    return DataLoader(TensorDataset(inputs, torch.arange(32) % 6), batch_size=4)


def make_module(module: Any) -> Any:
    torch.manual_seed(0)

    class WithMomentum(module):  # type: ignore[misc]
        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)

        def on_train_batch_end(self, *args: Any) -> None:
            self.history.append({name: value.clone() for name, value in self.state_dict().items()})

    made = WithMomentum()
    made.history = []
    made.backbone = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 6))
    return made


@pytest.mark.parametrize("bad", [set(), {0}, {3}, {7}])
def test_a_bad_update_leaves_nothing_behind(
    bad: set[int], make_trainer: Any, module: Any, memory: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    skip = SkipNonFinite(1)
    trained = make_module(module)
    trainer = make_trainer(
        callbacks=[skip, MetricsWriter()], logger=memory, max_epochs=1, log_every_n_steps=8
    )
    trainer.fit(trained, images_with(bad))
    assert skip.skipped == len(bad)
    assert all(value.isfinite().all() for value in trained.state_dict().values())
    assert math.isfinite(memory.rows[0]["train/loss"])
    assert capsys.readouterr().err.count(
        "left out: its loss or gradients are not finite (1 of at most 1)"
    ) == len(bad)

    # The same as a training in which the bad batch is not there at all.
    twin = make_module(module)
    data = images_with(bad).dataset.tensors  # type: ignore[attr-defined]
    kept = [row for row in range(32) if row // 4 not in bad]
    clean = DataLoader(TensorDataset(*(tensor[kept] for tensor in data)), batch_size=4)
    make_trainer(max_epochs=1).fit(twin, clean)
    assert all(torch.equal(value, trained.state_dict()[name]) for name, value in twin.state_dict().items())


def test_the_one_after_the_last_allowed_stops_the_training(make_trainer: Any, module: Any) -> None:
    trainer = make_trainer(callbacks=[SkipNonFinite(2)], max_epochs=1)
    with pytest.raises(
        TrainingDiverged, match=r"update 6 \(epoch 0, learning rate 0.5\) are not finite, and non_finite"
    ):
        trainer.fit(make_module(module), images_with({1, 3, 5}))


def test_a_resumed_run_goes_on_counting() -> None:
    first, second = SkipNonFinite(3), SkipNonFinite(3)
    first.skipped = 2
    second.load_state_dict(first.state_dict())
    assert second.skipped == 2


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"non_finite.skip=-1 must not be less than 0"):
        NonFiniteSettings(-1)
