"""The moving average beside torch's own and timm's, update by update."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from resnet_zoo.callbacks import EmaSettings
from resnet_zoo.callbacks.averaged_tensors import AveragedTensors
from resnet_zoo.callbacks.ema_decay import decay_of

DECAY, UPDATES = 0.9, 12
Average = Callable[[int], dict[str, Tensor]]


def torchs(model: nn.Module) -> Average:
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(DECAY), use_buffers=True)  # type: ignore[no-untyped-call]

    def update(step: int) -> dict[str, Tensor]:
        averaged.update_parameters(model)
        state: dict[str, Tensor] = averaged.module.state_dict()
        return state

    return update


def timms(model: nn.Module) -> Average:
    utils = pytest.importorskip(
        "timm.utils", reason="the comparison needs timm: pip install 'resnet-zoo[timm]'"
    )
    averaged = utils.ModelEmaV3(model, decay=DECAY)

    def update(step: int) -> dict[str, Tensor]:
        averaged.update(model, step=step)
        state: dict[str, Tensor] = averaged.module.state_dict()
        return state

    return update


@pytest.mark.parametrize("reference", [torchs, timms])
def test_the_average_is_that_of_others(reference: Callable[[nn.Module], Average]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    ours, theirs = AveragedTensors(model), reference(model)
    decay = decay_of(EmaSettings(DECAY), 16, UPDATES, UPDATES)
    for step in range(1, UPDATES + 1):
        model(torch.randn(16, 6)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        ours.update(decay.at(step - 1))
        for name, value in theirs(step).items():
            if value.is_floating_point():
                torch.testing.assert_close(ours.values[name], value, msg=f"{name} after update {step}")
    assert not torch.equal(ours.values["0.weight"], model[0].weight)
