"""The average is moved by one call, buffers go along, counters are copied."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from resnet_zoo.callbacks.averaged_tensors import AveragedTensors
from resnet_zoo.errors import InvalidValue


def moved(module: nn.Module) -> None:
    with torch.no_grad():
        for value in module.state_dict().values():
            value.add_(1)


def test_one_fused_call_moves_all_floating_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    """What torch's helper is taken for; should it ever go through them one by one, the update is slow."""
    calls: list[Any] = []
    fused = torch._foreach_lerp_

    def counted(tensors: Any, others: Any, weight: float) -> None:
        calls.append(len(tensors))
        fused(tensors, others, weight)

    monkeypatch.setattr(torch, "_foreach_lerp_", counted)
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    average = AveragedTensors(net)
    before = {name: value.clone() for name, value in average.values.items()}
    moved(net)
    average.update(decay=0.75)
    assert calls == [6]  # two of the convolution, four of batch norm, without its counter
    for name, value in net.state_dict().items():
        expected = value if name == "1.num_batches_tracked" else 0.75 * before[name] + 0.25 * value
        torch.testing.assert_close(average.values[name], expected, msg=name)


def test_a_decay_of_nothing_copies() -> None:
    net = nn.Linear(3, 2)
    average = AveragedTensors(net)
    moved(net)
    average.update(decay=0.0)
    assert all(torch.equal(average.values[name], value) for name, value in net.state_dict().items())


def test_small_steps_are_not_lost_in_half_precision() -> None:
    net = nn.Linear(2, 2, bias=False, dtype=torch.bfloat16)
    with torch.no_grad():
        net.weight.fill_(1.0)
    average = AveragedTensors(net)
    with torch.no_grad():
        net.weight.fill_(2.0)
    average.update(decay=0.9999)
    torch.testing.assert_close(average.values["weight"], torch.full((2, 2), 1.0001))


def test_an_average_of_another_net_is_refused_and_changes_nothing() -> None:
    average = AveragedTensors(nn.Linear(3, 2))
    before = average.values["weight"].clone()
    with pytest.raises(InvalidValue, match=r"of another net: 1 of 2 tensors .* e\.g\. bias"):
        average.load({"weight": torch.ones(2, 3), "bias": torch.ones(1)})  # would broadcast
    assert torch.equal(average.values["weight"], before)
