"""Hooks that nobody has written are passed over; all others are called as often as before."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from resnet_zoo.callbacks import NoProfiler, leave_out_idle_hooks, quieten_lightning
from resnet_zoo.callbacks.idle_hooks import HOOKS_OF_A_STEP
from resnet_zoo.lean_module import LeanModule

STEPS = 3


class Net(LightningModule):
    """Counts the calls of two hooks and has no others."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.calls = nn.Linear(2, 1), Counter[str]()

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        self.calls["hook during the step: " + str(self._current_fx_name)] += 1
        loss: Tensor = self.layer(batch).square().mean()
        return loss

    def on_after_backward(self) -> None:
        self.calls["on_after_backward"] += 1

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class LeanNet(Net, LeanModule):
    """The same with cheaper steps."""


class Watching(Callback):
    """Has written one hook in its class and has another that was put on the instance."""

    def __init__(self) -> None:
        self.calls = Counter[str]()
        self.on_before_zero_grad = lambda *_: self.calls.update(["on_before_zero_grad"])  # type: ignore[method-assign]

    def on_train_batch_end(self, *_: Any) -> None:
        self.calls["on_train_batch_end"] += 1


def _train(net: Net, lean: bool) -> tuple[Net, Watching, Callback]:
    watching, idle = Watching(), Callback()
    trainer = Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[watching, idle], profiler=NoProfiler() if lean else None,
    )  # fmt: skip
    if lean:
        leave_out_idle_hooks(net, trainer.callbacks)  # type: ignore[attr-defined]
    trainer.fit(net, DataLoader(torch.ones(STEPS, 2)))  # type: ignore[arg-type]
    return net, watching, idle


def test_written_hooks_are_called_and_nothing_else_changes() -> None:
    quieten_lightning()
    torch.manual_seed(0)
    usual = Net()
    lean = LeanNet()
    lean.load_state_dict(usual.state_dict())
    (usual, seen, _), (lean, seen_lean, idle) = _train(usual, lean=False), _train(lean, lean=True)  # type: ignore[assignment]
    assert seen.calls == seen_lean.calls == {"on_train_batch_end": STEPS, "on_before_zero_grad": STEPS}
    assert usual.calls == lean.calls == {
        "on_after_backward": STEPS, "hook during the step: training_step": STEPS
    }  # fmt: skip
    assert torch.equal(usual.layer.weight, lean.layer.weight)
    assert all(getattr(idle, name) is None for name in HOOKS_OF_A_STEP)


def test_attributes_of_a_lean_module_are_still_registered() -> None:
    net = LeanNet()
    net.more = nn.Linear(1, 1)
    net.later = None
    net.later = nn.Parameter(torch.ones(1))
    assert {"more.weight", "later"} <= set(dict(net.named_parameters()))
    net.later = None
    assert "later" not in dict(net.named_parameters())
