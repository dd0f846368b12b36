"""The lean loop does what Lightning's does: the same calls in the same order, the same counters, the same weights."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningDataModule, Trainer
from lightning.pytorch.profilers import SimpleProfiler
from torch import Tensor
from torch.utils.data import DataLoader

from resnet_zoo.callbacks import lightning_source
from resnet_zoo.callbacks.lean_loop import LeanEpochLoop
from tests.callbacks.conftest import CountingModule, RowsInMemory

Event = tuple[Any, ...]
HOOKS_OF_CALLBACKS = (
    "on_train_start", "on_train_epoch_start", "on_train_batch_start", "on_before_zero_grad", "on_before_backward",
    "on_after_backward", "on_before_optimizer_step", "on_train_batch_end", "on_validation_start", "on_validation_end",
    "on_train_epoch_end", "on_train_end",
)  # fmt: skip
HOOKS_OF_MODULES = (
    "on_train_batch_start", "training_step", "on_before_zero_grad", "optimizer_zero_grad", "on_before_backward",
    "backward", "on_after_backward", "on_before_optimizer_step", "on_train_batch_end", "on_validation_model_zero_grad",
)  # fmt: skip
OF_THE_UPDATE = ("optimizer_step", "configure_gradient_clipping")
"""Of a module that has written one of these, which only watch here, Lightning asks for the update."""


def test_what_is_replaced_is_what_was_read() -> None:
    assert lightning_source.changed() == (), (
        "Lightning has changed what LeanEpochLoop replaces or goes around, so that trainings take Lightning's own: "
        "read the new methods, do in the lean loop what they do, and only then write the new digests."
    )


def test_what_is_missing_counts_as_changed() -> None:
    assert lightning_source.digest("loops.training_epoch_loop:_TrainingEpochLoop.nothing") is None
    assert lightning_source.digest("loops.nowhere:nothing") is None


def plain(value: Any) -> Any:
    """A number, or a step's outputs; None for anything else."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, Tensor) and value.numel() == 1:
        return float(value.detach())
    return value if isinstance(value, int | float) else None


def note_calls(owner: Any, names: tuple[str, ...], events: list[Event], module: CountingModule) -> None:
    """Put the name of every call, what the module takes itself to be in, and plain arguments among the events."""

    def noted(name: str, hook: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(hook)
        def call(*arguments: Any, **more: Any) -> Any:
            values = [value for value in map(plain, arguments) if value is not None]
            events.append(
                (type(owner).__name__, name, module._current_fx_name, *values, torch.is_grad_enabled())
            )
            return hook(*arguments, **more)

        return call

    for name in names:
        setattr(owner, name, noted(name, getattr(owner, name)))


class Halving(LightningDataModule):
    """Changes batches on their way: moves them with a hook of its own, then halves them."""

    def __init__(self, loader: DataLoader[Any], val: DataLoader[Any]) -> None:
        super().__init__()
        self.loaders = loader, val

    def train_dataloader(self) -> DataLoader[Any]:
        return self.loaders[0]

    def val_dataloader(self) -> DataLoader[Any]:
        return self.loaders[1]

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        return batch[0] + 1, batch[1]

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        return batch[0] / 2, batch[1]


class Logging(Callback):
    """Logs something of its own in every step, as users' callbacks do."""

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, *_: Any) -> None:
        pl_module.log("own", outputs["loss"] * 2, on_step=True, on_epoch=True, prog_bar=True)


class OneArgument(CountingModule):
    """Takes no index of the batch."""

    def training_step(self, batch: Any) -> Tensor:  # type: ignore[override]
        return super().training_step(batch, 0)


class MoreOutputs(CountingModule):
    """Returns more than a loss, and nothing at all for one batch."""

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = super().training_step(batch, batch_idx)
        return None if batch_idx == 2 else {"loss": loss, "more": batch_idx}


class Searches(CountingModule):
    """Has an optimizer that computes loss and gradients several times in an update."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.LBFGS(self.parameters(), lr=0.1, max_iter=3)


class EndsEarly(CountingModule):
    """Ends the second epoch before its third batch."""

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> int | None:
        return -1 if self.trainer.current_epoch == 1 and batch_idx == 2 else None


def train(
    lean: bool,
    kind: type[CountingModule],
    images: Any,
    make_trainer: Any,
    direct: bool = True,
    **settings: Any,
) -> tuple[list[Event], dict[str, Any], dict[str, Tensor], list[dict[str, Any]], LeanEpochLoop]:
    """Events, state of the loops, weights, logged rows and the loop of a short training."""
    torch.manual_seed(0)
    net, events, memory = kind(), [], RowsInMemory()  # type: tuple[CountingModule, list[Event], RowsInMemory]
    watching, of_module = Callback(), HOOKS_OF_MODULES if direct else (*HOOKS_OF_MODULES, *OF_THE_UPDATE)
    for owner, names in ((watching, HOOKS_OF_CALLBACKS), (net, of_module)):
        note_calls(owner, names, events, net)
    callbacks = [watching, *settings.pop("callbacks", [])]
    trainer = make_trainer(callbacks=callbacks, logger=memory, **settings)
    if lean:
        loop = trainer.fit_loop.epoch_loop
        trainer.fit_loop.epoch_loop = LeanEpochLoop(trainer, loop.min_steps, loop.max_steps)
    trainer.fit(net, datamodule=Halving(images(30), images(8)))
    state = trainer.fit_loop.state_dict()
    return events, state, net.state_dict(), memory.rows, trainer.fit_loop.epoch_loop


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "through Lightning"])
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (CountingModule, {}),
        (CountingModule, {"accumulate_grad_batches": 3, "gradient_clip_val": 0.1}),
        (CountingModule, {"val_check_interval": 3, "max_steps": 11, "max_epochs": -1}),
        (
            CountingModule,
            {"val_check_interval": 5, "check_val_every_n_epoch": None, "limit_train_batches": 7},
        ),
        (CountingModule, {"callbacks": [Logging()], "log_every_n_steps": 2}),
        (CountingModule, {"callbacks": [Logging()], "accumulate_grad_batches": 2, "limit_val_batches": 0}),
        (OneArgument, {"precision": "bf16-mixed"}),
        (EndsEarly, {}),
        (MoreOutputs, {}),
        (MoreOutputs, {"accumulate_grad_batches": 2}),
        (Searches, {}),
    ],
    ids=[
        "usual",
        "accumulated",
        "steps",
        "over epochs",
        "logging",
        "no validation",
        "one argument",
        "ends early",
        "more outputs",
        "more outputs, accumulated",
        "several gradients an update",
    ],
)
@pytest.mark.filterwarnings("ignore:.*training_step.* returned .*None")
def test_a_training_is_the_same(
    kind: type[CountingModule], settings: dict[str, Any], direct: bool, images: Any, make_trainer: Any
) -> None:
    stock = train(False, kind, images, make_trainer, direct, **settings)
    lean = train(True, kind, images, make_trainer, direct, **settings)
    assert lean[4]._hooks is not None
    assert (lean[4].automatic_optimization._hooks is not None) is direct
    assert lean[0] == stock[0]
    assert len(lean[0]) > 50
    assert lean[1] == stock[1]
    assert all(torch.equal(lean[2][name], value) for name, value in stock[2].items())
    assert lean[3] == stock[3]


class Lazy(torch.optim.SGD):
    """Makes its step without asking for gradients."""

    def step(self, closure: Any = None) -> None:
        super().step()


class LazilyOptimized(CountingModule):
    def configure_optimizers(self) -> torch.optim.Optimizer:
        return Lazy(self.parameters(), lr=0.1)


def test_an_optimizer_without_gradients_is_refused(images: Any, make_trainer: Any) -> None:
    with pytest.raises(RuntimeError, match=r"Lazy\.step\(\) did not call the closure"):
        train(True, LazilyOptimized, images, make_trainer)


def test_profilers_see_everything(images: Any, make_trainer: Any) -> None:
    profiler = SimpleProfiler()
    *_, loop = train(True, CountingModule, images, make_trainer, profiler=profiler)
    assert loop._hooks is None
    assert len(profiler.recorded_durations["run_training_batch"]) == 16
