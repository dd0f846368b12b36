"""The callback that keeps an exponential moving average of the weights while they are trained."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Protocol, cast

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from torch import Tensor

from resnet_zoo.callbacks.averaged_tensors import AveragedTensors
from resnet_zoo.callbacks.ema_decay import EmaDecay, EmaSettings, decay_of, ema_notes, updates_per_epoch
from resnet_zoo.callbacks.non_finite_skip import SkipNonFinite
from resnet_zoo.callbacks.progress import last_step
from resnet_zoo.errors import InvalidValue

KEY = "ema"
"""Of a checkpoint: ``{"state_dict": averaged tensors, "averagings": how many times they were moved}``."""


class ScoresAverage(Protocol):
    """What a module offers that scores averaged weights beside its own."""

    averaged: Mapping[str, Tensor] | None
    """Averaged tensors by the names of the module's state dict, while there are some."""


class ExponentialMovingAverage(Callback):
    """Averages the weights after an update, hands them to the module to be scored, and saves them beside the raw ones.

    Polyak and Juditsky 1992 average the iterates of a stochastic approximation; the exponential form was used for image
    classification by Szegedy et al. 2015 (arXiv:1512.00567, section 8).

    The weights that are trained are never exchanged for the average, not even for a validation. Lightning's
    ``WeightAveraging``, from which this does not derive, swaps the two in the module: an exception in the middle of a
    validation leaves, and saves, each in the other's place. It also stores the average as ``state_dict``, so that a run
    that is resumed without the callback trains on from the average without a word, averages counters, and moves the
    tensors one by one.

    An update that ``SkipNonFinite`` left out is not averaged. One that float16's gradient scaler left out is, with the
    weights as they were, as everywhere else.

    Args:
        settings: with a decay.
        skips: the callback that leaves updates out, if there is one.

    Attributes:
        starts_from_weights: whether a checkpoint without an average may be continued; the average then begins with
            its weights.
    """

    def __init__(self, settings: EmaSettings, skips: SkipNonFinite | None = None) -> None:
        assert settings.decay is not None
        self.settings = settings
        self.starts_from_weights = False
        self.average: AveragedTensors | None = None
        self.averagings = 0
        self._skips = skips
        self._decay: EmaDecay | None = None
        self._loaded: dict[str, Any] | None = None
        self._step = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse strategies under which a rank has only a part of the weights."""
        if stage == "fit" and not isinstance(trainer.strategy, (SingleDeviceStrategy, DDPStrategy)):
            raise InvalidValue(
                "ema.decay: the moving average needs all weights on every rank, which "
                f"{type(trainer.strategy).__name__} does not have. Use one device or 'ddp', or leave ema out."
            )

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin with the module's weights, which are on their device by now, or with what the checkpoint holds."""
        self.average = AveragedTensors(pl_module)
        if self._loaded is not None:
            self.average.load(self._loaded["state_dict"])
            self.averagings = self._loaded["averagings"]
            self._loaded = None
        cast(ScoresAverage, pl_module).averaged = self.average.values

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Fix the decay, which may depend on the length of the training, and say it."""
        self._step = trainer.global_step
        steps = updates_per_epoch(trainer.num_training_batches, trainer.accumulate_grad_batches)
        end = last_step(trainer)
        batch_size = getattr(getattr(trainer, "datamodule", None), "global_batch_size", None)
        self._decay = decay_of(self.settings, batch_size, end, steps)
        if trainer.is_global_zero:
            for line in ema_notes(self.settings, self._decay, end, steps):
                print(line, file=sys.stderr, flush=True)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Average after an update, not after each of its accumulated batches."""
        if trainer.global_step == self._step:
            return
        self._step = trainer.global_step
        left_out = self._skips is not None and self._skips.left_out
        if self._step % self.settings.every_n_steps or left_out:
            return
        assert self.average is not None
        assert self._decay is not None
        self.average.update(self._decay.at(self.averagings))
        self.averagings = 0 if trainer.current_epoch < self.settings.start_epoch else self.averagings + 1

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the average under a key of its own."""
        if self.average is not None:
            checkpoint[KEY] = {"state_dict": dict(self.average.values), "averagings": self.averagings}

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep the saved average until the module is on its device.

        Raises:
            InvalidValue: there is none in a checkpoint that is to be continued.
        """
        if trainer.state.fn != "fit":
            return
        self._loaded = checkpoint.get(KEY)
        if self._loaded is None and not self.starts_from_weights:
            raise InvalidValue(
                "the checkpoint to be continued has no averaged weights, and ema.decay asks for them. Leave ema out, "
                "or let the average begin with the checkpoint's weights: --force_resume true."
            )

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """The module scores its own weights again, and those alone."""
        cast(ScoresAverage, pl_module).averaged = None
