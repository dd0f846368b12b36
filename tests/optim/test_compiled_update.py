"""An optimizer whose update is compiled makes the same updates."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from resnet_zoo.errors import InvalidValue
from resnet_zoo.optim import compile_update, example_of, what_update_lacks
from resnet_zoo.optim.compiled_update import COMPILED

UPDATES = 6


def _graphs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Filled with the graphs that are compiled, by what inductor starts from; it needs no C++ compiler."""
    from torch._dynamo.backends.debugging import aot_eager

    seen: list[Any] = []

    def backend(graph: Any, inputs: Any) -> Any:
        seen.append(graph)
        return aot_eager(graph, inputs)

    torch._dynamo.reset()
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    return seen


def _optimizer(kind: type[Optimizer], net: nn.Sequential) -> Optimizer:
    groups = [{"params": [*net[0].parameters()], "weight_decay": 1e-2}, {"params": [*net[2].parameters()]}]
    more = {"momentum": 0.9, "nesterov": True} if kind is torch.optim.SGD else {}
    return kind(groups, lr=0.1, **more)  # type: ignore[call-arg]


def _train(kind: type[Optimizer], compiled: bool) -> tuple[nn.Sequential, Optimizer, list[float]]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3))
    optimizer = _optimizer(kind, net)
    if compiled:
        compile_update(optimizer)
    losses = []
    for update in range(UPDATES):
        images = torch.randn(4, 5)

        def closure(images: torch.Tensor = images) -> torch.Tensor:
            optimizer.zero_grad()
            loss = net(images).square().mean()
            loss.backward()
            return loss.detach()

        for factor, group in enumerate(optimizer.param_groups, start=1):
            group["lr"] = 0.01 * factor / (update + 1)
        losses.append(float(optimizer.step(closure)))  # type: ignore[arg-type]
    return net, optimizer, losses


@pytest.mark.parametrize(
    "kind",
    [each if each is torch.optim.SGD else pytest.param(each, marks=pytest.mark.slow) for each in COMPILED],
)
def test_the_updates_are_the_same_whatever_the_rate(
    kind: type[Optimizer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled once for the first update, which makes the state, and once for all others, with other rates each."""
    graphs = _graphs(monkeypatch)
    plain_net, plain, plain_losses = _train(kind, compiled=False)
    assert not graphs
    net, optimizer, losses = _train(kind, compiled=True)
    assert 1 <= len(graphs) <= 2
    assert losses == pytest.approx(plain_losses, rel=1e-5)
    for ours, theirs in zip(net.parameters(), plain_net.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    assert [group["lr"] for group in optimizer.param_groups] == [group["lr"] for group in plain.param_groups]
    ours_state, their_state = optimizer.state_dict()["state"], plain.state_dict()["state"]
    assert {key: set(value) for key, value in ours_state.items()} == {
        key: set(value) for key, value in their_state.items()
    }


def test_a_failed_update_leaves_the_rate_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise RuntimeError("as it happens")

    monkeypatch.setattr(torch, "compile", lambda **options: lambda function: fails)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(2))], lr=0.5)
    compile_update(optimizer)
    with pytest.raises(RuntimeError, match="as it happens"):
        optimizer.step()
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert isinstance(optimizer.param_groups[0]["lr"], float)


def test_what_torch_does_not_compile_is_told() -> None:
    parameters = [nn.Parameter(torch.zeros(1))]
    assert what_update_lacks(torch.optim.SGD(parameters, lr=0.1)) is None
    assert "LBFGS" in str(what_update_lacks(torch.optim.LBFGS(parameters)))
    assert "fused=true" in str(what_update_lacks(torch.optim.SGD(parameters, lr=0.1, fused=True)))
    assert what_update_lacks(torch.optim.AdamW(parameters)) is None
    assert "foreach=true" in str(what_update_lacks(torch.optim.AdamW(parameters, foreach=True)))


def test_arguments_that_an_optimizer_does_not_take_are_a_mistake() -> None:
    with pytest.raises(InvalidValue, match=r"model\.optimizer: .*cannot be `True` together"):
        example_of(functools.partial(torch.optim.SGD, lr=0.1, fused=True, foreach=True))
    with pytest.raises(InvalidValue, match=r"model\.optimizer: Invalid learning rate"):
        example_of(functools.partial(torch.optim.AdamW, lr=-1.0))
