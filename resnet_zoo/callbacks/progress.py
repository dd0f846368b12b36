"""How a run shows where it is: a bar on a terminal, sparse lines in a log. Both go to standard error."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar, TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm

from resnet_zoo.callbacks.metrics_writer import MetricsWriter

SECONDS_BETWEEN_LINES = 30.0
SECONDS_BETWEEN_REFRESHES = 0.1
"""Each refresh of a bar costs a tenth of a millisecond, and a bar that moves faster than the eye is wasted."""

SHORT_NAMES = {
    "loss": "loss {:.4f}",
    "top1": "top1 {:.2f}",
    "top5": "top5 {:.2f}",
    "ema_top1": "ema_top1 {:.2f}",
}


def default_progress_bar(is_tty: bool) -> ProgressBar:
    """The bar for a terminal, or the lines for everything else."""
    return TerminalBar() if is_tty else ProgressLines()


class ProgressLines(ProgressBar):
    """One line every 30 seconds and one at the end of every epoch, from rank 0 alone.

    Args:
        seconds: time between two lines within an epoch or an evaluation.
    """

    def __init__(self, seconds: float = SECONDS_BETWEEN_LINES) -> None:
        super().__init__()
        self.seconds = seconds
        self._enabled = True
        self._next = 0.0
        self._start = (0.0, 0)
        self._validated = False

    def enable(self) -> None:
        """Show lines; Lightning's switch."""
        self._enabled = True

    def disable(self) -> None:
        """Show nothing; Lightning switches all ranks but the first off."""
        self._enabled = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clocks."""
        self._start = (time.monotonic(), trainer.global_step)
        self._next = time.monotonic() + self.seconds

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """A line if 30 seconds are over."""
        if time.monotonic() >= self._next:
            self._show(self._training_line(trainer))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A line, with the validation if there was one since the last line."""
        self._show(self._training_line(trainer))

    def on_validation_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """A line if 30 seconds are over."""
        self._count(trainer, "validation")

    def on_test_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """A line if 30 seconds are over."""
        self._count(trainer, "test")

    def on_predict_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """A line if 30 seconds are over."""
        self._count(trainer, "prediction")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Within an epoch a line of its own; at an epoch's end the training line is about to tell."""
        self._validated = trainer.state.fn == "fit"
        if self._validated and not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            self._show(self._training_line(trainer))

    def _count(self, trainer: Trainer, what: str) -> None:
        if time.monotonic() < self._next:
            return
        loop = trainer._active_loop
        done = getattr(getattr(loop, "batch_progress", None), "current", None)
        total = getattr(loop, "max_batches", [])
        if done is not None and not trainer.sanity_checking:
            self._show(f"{what}: {done.ready} of {sum(total):g} batches")

    def _training_line(self, trainer: Trainer) -> str:
        row = latest_row(trainer)
        parts = [f"epoch {trainer.current_epoch + 1}{_of(trainer.max_epochs)}"]
        parts.append(f"step {trainer.global_step}{_of(last_step(trainer))}")
        parts += _scores("train", row)
        if self._validated:
            parts += _scores("val", {name: float(value) for name, value in trainer.callback_metrics.items()})
            self._validated = False
        if row:
            parts += [f"lr {row['lr']:.4g}", f"{row['speed/images_per_second']:,.0f} images/s"]
        seconds = self._seconds_left(trainer)
        return "  ".join(parts if seconds is None else [*parts, f"ETA {timedelta(seconds=round(seconds))}"])

    def _seconds_left(self, trainer: Trainer) -> float | None:
        """From the speed since the start, validations included; None where there is no end in sight."""
        end = last_step(trainer)
        since, first = self._start
        done = trainer.global_step - first
        if end is None or not done:
            return None
        return max(end - trainer.global_step, 0) * (time.monotonic() - since) / done

    def _show(self, line: str) -> None:
        self._next = time.monotonic() + self.seconds
        if self._enabled:
            print(line, file=sys.stderr, flush=True)


class TerminalBar(TQDMProgressBar):
    """Lightning's bar with our numbers, refreshed ten times a second at most.

    Args:
        seconds: between two refreshes.
    """

    def __init__(self, seconds: float = SECONDS_BETWEEN_REFRESHES) -> None:
        super().__init__()
        self.seconds = seconds
        self._next = 0.0

    def _should_update(self, current: int, total: int) -> bool:
        """Of every bar, after a batch: if it is time, and at the end."""
        now = time.monotonic()
        if not self.is_enabled or (now < self._next and current != total):
            return False
        self._next = now + self.seconds
        return True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Draw the bar of the epoch, once and not twice as Lightning's, where it is to be refreshed."""
        bar = self.train_progress_bar
        if self._should_update(batch_idx + 1, bar.total):
            bar.n = batch_idx + 1
            bar.set_postfix(self.get_metrics(trainer, pl_module))

    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """The last row that was written, and the last validation."""
        row = latest_row(trainer)
        shown: dict[str, int | str | float | dict[str, float]] = {}
        for name, digits in (("train/loss", 3), ("train/top1", 1), ("val/top1", 2), ("lr", 4)):
            value = row.get(name, trainer.callback_metrics.get(name))
            if value is not None:
                shown[name] = f"{float(value):.{digits}g}" if name == "lr" else f"{float(value):.{digits}f}"
        return shown

    def on_train_epoch_start(self, trainer: Trainer, *args: Any) -> None:
        """Count epochs from one, as people do."""
        super().on_train_epoch_start(trainer, *args)
        self.train_progress_bar.set_description(f"Epoch {trainer.current_epoch + 1}{_of(trainer.max_epochs)}")

    def init_sanity_tqdm(self) -> Tqdm:
        """The bar of the sanity check."""
        return self._bar(self.sanity_check_description, leave=False)

    def init_train_tqdm(self) -> Tqdm:
        """The bar of an epoch."""
        return self._bar(self.train_description, leave=True)

    def init_predict_tqdm(self) -> Tqdm:
        """The bar of a prediction."""
        return self._bar(self.predict_description, leave=True)

    def init_validation_tqdm(self) -> Tqdm:
        """The bar of a validation: a second one below the epoch's within a training."""
        within_training = self.trainer.state.fn != "validate"
        return self._bar(
            self.validation_description, leave=not within_training, position=int(within_training)
        )

    def init_test_tqdm(self) -> Tqdm:
        """The bar of a test."""
        return self._bar(self.test_description, leave=True)

    def _bar(self, description: str, leave: bool, position: int = 0) -> Tqdm:
        """On standard error, so that results on standard output can be piped; Lightning's own bar is on that."""
        return Tqdm(
            desc=description,
            leave=leave,
            position=2 * self.process_position + position,
            disable=self.is_disabled,
            dynamic_ncols=True,
            file=sys.stderr,
            smoothing=0,
            bar_format=self.BAR_FORMAT,
        )


def latest_row(trainer: Trainer) -> dict[str, float]:
    """The last row of the run's metrics writer; empty before the first or without a writer."""
    writers = [callback for callback in trainer.callbacks if isinstance(callback, MetricsWriter)]  # type: ignore[attr-defined]
    return writers[0].latest if writers else {}


def last_step(trainer: Trainer) -> int | None:
    """The update with which the training ends; None if neither ``max_steps`` nor ``max_epochs`` says."""
    end = trainer.estimated_stepping_batches
    return int(end) if 0 < end < math.inf else None


def _scores(split: str, metrics: Mapping[str, float]) -> list[str]:
    """``["train loss 0.5123", "top1 82.30"]``: what of it is there."""
    values = {name: metrics.get(f"{split}/{name}") for name in SHORT_NAMES}
    found = [SHORT_NAMES[name].format(value) for name, value in values.items() if value is not None]
    return [f"{split} {found[0]}", *found[1:]] if found else []


def _of(total: int | None) -> str:
    return f"/{total}" if total is not None and total > 0 else ""
