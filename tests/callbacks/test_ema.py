"""The moving average in a training: what it is made of, how it is scored, and that nothing is ever in its place."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from resnet_zoo.callbacks import EmaSettings, ExponentialMovingAverage, SkipNonFinite
from resnet_zoo.classifier import ImageClassifier
from resnet_zoo.data import Synthetic
from resnet_zoo.errors import InvalidValue
from tests.small_nets import SmallNet, convolutional

State = dict[str, Tensor]


class History(Callback):
    """The weights after every update."""

    def __init__(self) -> None:
        self.states: list[State] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if trainer.global_step > len(self.states):
            self.states.append(cloned(pl_module.state_dict()))


def cloned(state: Any) -> State:
    return {name: value.clone() for name, value in state.items()}


def synthetic() -> Synthetic:
    return Synthetic(image_size=8, num_train=32, num_val=21, num_test=9, global_batch_size=8)


def classifier(backbone: SmallNet | None = None) -> ImageClassifier:
    torch.manual_seed(0)
    return ImageClassifier(backbone or convolutional(), num_classes=10)


def equal(first: Any, second: Any) -> bool:
    return first.keys() == second.keys() and all(
        torch.equal(value, second[name]) for name, value in first.items()
    )


@pytest.mark.parametrize(
    ("settings", "accumulate"),
    [
        ({}, 1),
        ({}, 2),
        ({"every_n_steps": 3, "warm_up": True}, 1),
        ({"start_epoch": 1}, 1),
    ],
)
def test_the_average_is_over_updates_and_does_not_touch_the_training(
    make_trainer: Any, settings: dict[str, Any], accumulate: int
) -> None:
    ema, history, twin = ExponentialMovingAverage(EmaSettings(0.7, **settings)), History(), History()
    model = classifier()
    names = set(model.state_dict())
    make_trainer(callbacks=[history, ema], accumulate_grad_batches=accumulate).fit(
        model, datamodule=synthetic()
    )
    make_trainer(callbacks=[twin], accumulate_grad_batches=accumulate).fit(
        classifier(), datamodule=synthetic()
    )
    assert (
        len(history.states) == len(twin.states) == 8
    )  # two epochs of four updates, however they are accumulated
    assert equal(history.states[-1], twin.states[-1])
    assert set(model.state_dict()) == names
    assert model.averaged is None  # after the training, evaluations score what they load

    every, start = settings.get("every_n_steps", 1), 4 * settings.get("start_epoch", 0)
    expected, count = history.states[0], 0
    for step, state in enumerate(history.states, start=1):
        if step % every:
            continue
        decay = 0.0 if count == 0 else min(0.7, (1 + count) / (10 + count)) if "warm_up" in settings else 0.7
        expected = {
            name: decay * expected[name] + (1 - decay) * value if value.is_floating_point() else value
            for name, value in state.items()
        }
        count = 0 if step <= start else count + 1
    assert ema.average is not None
    for name, value in ema.average.values.items():
        torch.testing.assert_close(value, expected[name], msg=name)


def test_both_are_scored_in_the_pass_of_a_validation(make_trainer: Any) -> None:
    ema, model = ExponentialMovingAverage(EmaSettings(0.8)), classifier()
    make_trainer(callbacks=[ema], check_val_every_n_epoch=2).fit(model, datamodule=synthetic())
    assert ema.average is not None
    for state, scores in ((model.state_dict(), model.scores), (ema.average.values, model.ema_scores)):
        alone = classifier()
        alone.load_state_dict(cloned(state))
        make_trainer().validate(alone, datamodule=synthetic(), verbose=False)
        assert alone.scores["val"] == scores["val"]
        assert alone.scores["val"].evaluated == 21
    assert model.scores["val"].loss != model.ema_scores["val"].loss


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_backbone_scores_its_average_too(make_trainer: Any) -> None:
    scores = []
    for compiled in (False, True):
        model = classifier()
        if compiled:
            model.backbone.compile(backend="aot_eager")  # what inductor starts from; needs no C++ compiler
        ema = ExponentialMovingAverage(EmaSettings(0.8))
        make_trainer(callbacks=[ema]).fit(model, datamodule=synthetic())
        scores.append([model.scores["val"].loss, model.ema_scores["val"].loss])
    assert scores[1] == pytest.approx(scores[0], rel=1e-5)
    assert scores[1][0] != pytest.approx(scores[1][1], rel=1e-4)


def test_an_update_that_was_left_out_is_not_averaged(make_trainer: Any, module: Any) -> None:
    inputs = torch.randn(32, 3, generator=torch.Generator().manual_seed(1))
    inputs[4 * 3] = math.nan
    data = DataLoader(TensorDataset(inputs, torch.arange(32) % 6), batch_size=4)
    skips = SkipNonFinite(1)
    ema, history = ExponentialMovingAverage(EmaSettings(0.5), skips), History()
    make_trainer(callbacks=[skips, ema, history], max_epochs=1).fit(module(), data)
    assert (skips.skipped, ema.averagings) == (1, 7)
    expected = history.states[0]["backbone.weight"]
    for step, state in enumerate(history.states[1:], start=2):
        expected = expected if step == 4 else 0.5 * expected + 0.5 * state["backbone.weight"]
    assert ema.average is not None
    torch.testing.assert_close(ema.average.values["backbone.weight"], expected)


class Broken(Exception):
    pass


class BreaksAt(SmallNet):
    """Raises in one of the forward passes of a validation; of two for each batch the second is the average's."""

    def __init__(self, forward_pass: int) -> None:
        super().__init__(norm=True, dropout=0.0)
        self.left = forward_pass

    def forward(self, images: Tensor) -> Tensor:
        if not self.training:
            self.left -= 1
            if self.left == 0:
                raise Broken
        return super().forward(images)


class BreaksIn(Callback):
    """Raises in one of Lightning's hooks."""

    def __init__(self, hook: str) -> None:
        setattr(self, hook, self._break)

    def _break(self, *args: Any, **kwargs: Any) -> None:
        raise Broken


class SavesOnException(Callback):
    """As ``ModelCheckpoint(save_on_exception=True)`` does."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        trainer.save_checkpoint(self.file)


HOOKS = ["on_validation_start", "on_validation_epoch_start", "on_validation_batch_start", "on_validation_batch_end",
         "on_validation_epoch_end", "on_validation_end"]  # fmt: skip


@pytest.mark.parametrize("place", [1, 2, 3, 4, *HOOKS])
def test_whatever_breaks_in_a_validation_the_two_are_never_swapped(
    make_trainer: Any, tmp_path: Path, place: int | str
) -> None:
    ema, history = ExponentialMovingAverage(EmaSettings(0.9)), History()
    callbacks: list[Callback] = [history, ema, SavesOnException(tmp_path / "saved.ckpt")]
    if isinstance(place, str):
        callbacks.append(BreaksIn(place))
    model = classifier(BreaksAt(place if isinstance(place, int) else 0))
    data = synthetic()
    data.eval_batch_size = 11
    with pytest.raises(Broken):
        make_trainer(callbacks=callbacks).fit(model, datamodule=data)
    saved = torch.load(tmp_path / "saved.ckpt", weights_only=True)
    assert equal(saved["state_dict"], history.states[-1])
    assert equal(dict(model.state_dict()), history.states[-1])
    assert ema.average is not None
    assert equal(saved["ema"]["state_dict"], ema.average.values)
    assert not equal(saved["ema"]["state_dict"], saved["state_dict"])


def test_strategies_that_split_the_weights_are_refused() -> None:
    class ShardedStrategy:
        pass

    trainer: Any = SimpleNamespace(strategy=ShardedStrategy())
    with pytest.raises(InvalidValue, match=r"which ShardedStrategy does not have\. Use one device or 'ddp'"):
        ExponentialMovingAverage(EmaSettings(0.9)).setup(trainer, classifier(), "fit")
