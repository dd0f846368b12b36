"""When checkpoints are written: ``last.ckpt`` at every epoch's end, ``best.ckpt`` when validation improved."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch.distributed as dist
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from resnet_zoo.callbacks.checkpoint_io import CheckpointNotWritten
from resnet_zoo.callbacks.metrics_writer import CountedTraining
from resnet_zoo.callbacks.non_finite import assert_finite
from resnet_zoo.errors import InvalidValue
from resnet_zoo.metrics import WeightsName
from resnet_zoo.runs import BEST, LAST


@dataclass
class CheckpointSettings:
    """What is kept of a run.

    Args:
        monitor: the validation score that decides which epoch is best; one of the moving average's, such as
            ``val/ema_top1``, also makes it the weights by which the run is judged.
        mode: whether the best is the largest or the smallest; by default the smallest of a loss, else the largest.
        every_n_epochs: how often ``last.ckpt`` is written, in epochs; the last epoch is always written.
        every_n_minutes: in addition, how often within an epoch, in minutes; none by default.
        every_n_steps: in addition, how often within an epoch, in updates; none by default.
        keep_every_n_epochs: keep ``epoch-0010.ckpt`` and so on for good; none by default.
    """

    monitor: Literal["val/top1", "val/top5", "val/loss", "val/ema_top1", "val/ema_top5", "val/ema_loss"] = (
        "val/top1"
    )
    mode: Literal["max", "min"] | None = None
    every_n_epochs: int = 1
    every_n_minutes: float | None = None
    every_n_steps: int | None = None
    keep_every_n_epochs: int | None = None

    def __post_init__(self) -> None:
        for name in ("every_n_epochs", "every_n_minutes", "every_n_steps", "keep_every_n_epochs"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise InvalidValue(f"checkpoint.{name}={value:g} must be larger than 0.")

    @property
    def weights(self) -> WeightsName:
        """The weights whose score decides."""
        return "ema" if self.monitor.startswith("val/ema_") else "raw"

    @property
    def score(self) -> Literal["top1", "top5", "loss"]:
        """Which of their scores it is."""
        return cast(Literal["top1", "top5", "loss"], self.monitor.removeprefix("val/").removeprefix("ema_"))


class Checkpoints(Checkpoint):
    """Writes ``last.ckpt`` and ``best.ckpt`` into ``directory``, which is set before training starts.

    Args:
        settings: what to keep, and when to write.

    Attributes:
        directory: where the files go.
        description: of the run, in plain types: what a resumed run is compared with.
        takes_order_of_checkpoint: whether a resumed run goes on within the order of images that the checkpoint's
            loader was in; False where the epoch is over, or its order has changed.
    """

    def __init__(self, settings: CheckpointSettings) -> None:
        self.settings = settings
        self.directory: Path | None = None
        self.description: dict[str, Any] = {}
        self.takes_order_of_checkpoint = True
        self.best_score: float | None = None
        self.best_epoch: int | None = None
        self._last_written = time.monotonic()
        self._last_step = -1
        self._is_due = False
        self._reason = ""

    @property
    def last(self) -> Path:
        """The newest state of the run."""
        assert self.directory is not None
        return self.directory / LAST

    @property
    def best(self) -> Path:
        """The state after the epoch that validated best; not written where there is no validation."""
        assert self.directory is not None
        return self.directory / BEST

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A checkpoint that is continued in another directory knows of a best epoch whose file is not here."""
        if self.best_score is not None and not trainer.strategy.broadcast(self.best.is_file()):
            self.best_score = self.best_epoch = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock of ``every_n_minutes``."""
        self._last_written = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write ``last.ckpt`` when an update is complete and it is time, or the steps are over."""
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        minutes, steps = self.settings.every_n_minutes, self.settings.every_n_steps
        self._is_due |= (steps is not None and trainer.global_step % steps == 0) or (
            minutes is not None and self._minutes_are_over(trainer, minutes)
        )
        if self._is_due and not validation_follows(trainer, batch_idx):
            self._save_last(trainer, pl_module)

    def _minutes_are_over(self, trainer: Trainer, minutes: float) -> bool:
        """Rank 0's clock decides for all ranks, at logging steps only, so that no step waits for it."""
        if trainer.world_size == 1:
            return time.monotonic() - self._last_written >= 60 * minutes
        if trainer.global_step % trainer.log_every_n_steps:  # type: ignore[attr-defined]
            return False
        verdict = [time.monotonic() - self._last_written >= 60 * minutes]
        dist.broadcast_object_list(verdict, src=0)
        return verdict[0]

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember and write the best epoch so far; NaN is never best."""
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        training = cast(CountedTraining, pl_module)
        scores = training.ema_scores if self.settings.weights == "ema" else training.scores
        score: float | None = getattr(scores.get("val"), self.settings.score, None)
        if score is None or not math.isfinite(score):
            return
        if self.best_score is None or self._is_better(score, self.best_score):
            before = self.best_score, self.best_epoch
            self.best_score, self.best_epoch = score, trainer.current_epoch
            assert_finite(pl_module)
            if not self._save(trainer, self.best):
                self.best_score, self.best_epoch = before

    def _is_better(self, score: float, than: float) -> bool:
        mode = self.settings.mode or ("min" if self.settings.score == "loss" else "max")
        return score < than if mode == "min" else score > than

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write ``last.ckpt``, and what is kept for good."""
        epoch = trainer.current_epoch + 1
        keep = self.settings.keep_every_n_epochs
        if epoch % self.settings.every_n_epochs == 0:
            self._save_last(trainer, pl_module)
        if keep is not None and epoch % keep == 0:
            assert self.directory is not None
            self._save(trainer, self.directory / f"epoch-{epoch:04d}.ckpt")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the final state, if it is not written yet."""
        self.save_last_once(trainer, pl_module)

    def save_last_once(self, trainer: Trainer, pl_module: LightningModule) -> Path:
        """Write ``last.ckpt`` unless it is this update's already; to be called by all ranks.

        Returns:
            the file.

        Raises:
            CheckpointNotWritten: it could not be written, and there is no later occasion.
        """
        if trainer.global_step != self._last_step and not self._save_last(trainer, pl_module):
            raise CheckpointNotWritten(f"{self._reason} The checkpoint before it is untouched.")
        return self.last

    def _save_last(self, trainer: Trainer, pl_module: LightningModule) -> bool:
        assert_finite(pl_module)
        self._last_written, self._is_due = time.monotonic(), False
        if not self._save(trainer, self.last):
            return False
        self._last_step = trainer.global_step
        return True

    def _save(self, trainer: Trainer, path: Path) -> bool:
        """Write a file; whether it is written, which all ranks learn. Where not, training goes on without it."""
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return True
        trainer.save_checkpoint(path)
        failure = getattr(trainer.strategy.checkpoint_io, "failure", None)
        if not trainer.strategy.reduce_boolean_decision(failure is not None, all=False):
            return True
        self._reason = str(failure or f"'{path}' was not written by rank 0.")
        if failure is not None:
            print(
                f"{self._reason} The one before it is untouched; training goes on, and the next is tried as usual.",
                file=sys.stderr,
                flush=True,
            )
        return False

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add what the run is, and by which score it is judged."""
        checkpoint["run"] = {
            **self.description,
            "world_size": trainer.world_size,
            "monitor": self.settings.monitor,
        }

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Leave the loader's place out where it has no meaning any more, before the loaders are made."""
        if not self.takes_order_of_checkpoint:
            checkpoint["loops"]["fit_loop"]["state_dict"]["combined_loader"] = []

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know of the best epoch."""
        return {
            "best_score": self.best_score,
            "best_epoch": self.best_epoch,
            "monitor": self.settings.monitor,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint; another score than the one that is monitored now says nothing of the best epoch."""
        if state_dict.get("monitor", self.settings.monitor) == self.settings.monitor:
            self.best_score, self.best_epoch = state_dict["best_score"], state_dict["best_epoch"]


def validation_follows(trainer: Trainer, batch_idx: int) -> bool:
    """Whether the epoch ends, or a validation begins, right after this batch.

    A state saved just before would resume without it; it is saved after it, or one update later, instead.
    """
    every = trainer.val_check_batch
    within_epoch = every is not None and (batch_idx + 1) % every == 0 and trainer.enable_validation
    return trainer.is_last_batch or within_epoch
