"""Fetches the training counts now and then, and sends them to every logger."""

from __future__ import annotations

import time
from typing import Any, Protocol, cast

from lightning.pytorch import Callback, LightningModule, Trainer

from resnet_zoo.callbacks.non_finite import check_scores
from resnet_zoo.metrics import Scores, TopKCounts, WeightsName, named_scores


class CountedTraining(Protocol):
    """What the writer asks of a module that it writes for."""

    train_counts: TopKCounts
    """Counts since the last reset; the module updates them in every training step."""
    scores: dict[str, Scores]
    """The scores of the last evaluation of each split, over all ranks."""
    ema_scores: dict[str, Scores]
    """The same of averaged weights, where some were scored in the same pass."""
    weights_name: WeightsName
    """The weights that ``scores`` are of; in a training the raw ones."""

    def learning_rate(self) -> float:
        """The learning rate of the last update."""


class Table(Protocol):
    """A logger whose rows can be counted and taken back, as ``loggers.MetricsCSV``'s."""

    num_rows: int

    def keep_first_rows(self, count: int) -> int:
        """Drop the rows after the first ``count``."""


class MetricsWriter(Callback):
    """Every ``trainer.log_every_n_steps`` updates: one all-reduce, one transfer, one row; between, not a thing.

    Writes ``train/loss``, ``train/top1``, ``train/top5``, ``lr``, ``speed/images_per_second`` (all ranks together,
    without the time spent in validation and in loggers) and ``epoch`` (the epoch in progress, from 0), each over the
    images since the last row. What is left over before a validation or at an epoch's end becomes a row of its own. A
    loss that is not finite stops the training here.

    A validation within a training, and a test after it, become a row each, at the same count of updates and with
    all digits; what a module logs by itself would be rounded to float32 and one update behind.

    A checkpoint holds what was counted since the last row and how many rows there were, so that a resumed training
    writes the rows of one that was never stopped; rows of updates that it makes again are taken back.

    Attributes:
        latest: the last row, for whoever shows progress; empty before the first.
    """

    def __init__(self) -> None:
        self.latest: dict[str, float] = {}
        self._written_step = 0
        self._since = time.perf_counter()
        self._loaded: dict[str, Any] | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin, or go on where the checkpoint was written: with what was counted, and with the rows written then."""
        self._since = time.perf_counter()
        saved, self._loaded = self._loaded, None
        if saved is None:
            self._written_step = trainer.global_step
            if trainer.global_step:
                return  # from a checkpoint of somebody else's
            saved = {"rows": 0}  # a start from the beginning makes all rows again
        else:
            self._written_step = saved["written_step"]
            cast(CountedTraining, pl_module).train_counts.go_on_from(saved["counts"])
        _take_back_rows_after(saved["rows"], trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A training that was at its end already did not start; the rows of its test will be written again."""
        if self._loaded is not None:
            _take_back_rows_after(self._loaded["rows"], trainer)
            self._loaded = None

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Save what a resumed run needs to write the same rows: on all ranks, which counted on their own."""
        checkpoint["metrics"] = {
            "written_step": self._written_step,
            "counts": cast(CountedTraining, pl_module).train_counts.of_all_ranks(),
            "rows": max((logger.num_rows for logger in _tables(trainer)), default=0),
        }

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep what was saved until training starts."""
        self._loaded = checkpoint.get("metrics")

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock; nothing is left over from the epoch before."""
        self._since = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write a row if one is due."""
        step = trainer.global_step
        if step == self._written_step:
            return
        every = trainer.log_every_n_steps  # type: ignore[attr-defined]
        if every and step % every == 0:
            self._write(trainer, pl_module)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what is left over, so that validation begins with a healthy loss and its time is not counted."""
        if trainer.state.fn == "fit":
            self._write_rest(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the validation of a training; start the clock again."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._write_scores(trainer, pl_module, "val")
        self._since = time.perf_counter()

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the test that ends a training; one on its own has its result file."""
        if trainer.global_step:
            self._write_scores(trainer, pl_module, "test")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what is left over where there was no validation."""
        self._write_rest(trainer, pl_module)

    def _write_rest(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking and trainer.global_step != self._written_step:
            self._write(trainer, pl_module)

    def _write(self, trainer: Trainer, pl_module: LightningModule) -> None:
        training = cast(CountedTraining, pl_module)
        counts = training.train_counts
        counts.all_reduce()
        scores = counts.scores()
        counts.reset()
        seconds = time.perf_counter() - self._since
        learning_rate = training.learning_rate()
        check_scores(scores, trainer, learning_rate, self._written_step + 1)
        speed = scores.evaluated / max(seconds, 1e-9)
        self.latest = {
            **named_scores("train", scores),
            "lr": learning_rate,
            "speed/images_per_second": round(speed, 1),
        }
        self._log(trainer, self.latest)
        self._written_step, self._since = trainer.global_step, time.perf_counter()

    def _write_scores(self, trainer: Trainer, pl_module: LightningModule, split: str) -> None:
        training = cast(CountedTraining, pl_module)
        row = named_scores(split, training.scores[split], training.weights_name)
        if split in training.ema_scores:
            row |= named_scores(split, training.ema_scores[split], "ema")
        self._log(trainer, row)

    def _log(self, trainer: Trainer, row: dict[str, float]) -> None:
        for logger in trainer.loggers:
            logger.log_metrics({"epoch": trainer.current_epoch, **row}, step=trainer.global_step)


def _take_back_rows_after(count: int, trainer: Trainer) -> None:
    for logger in _tables(trainer):
        logger.keep_first_rows(count)


def _tables(trainer: Trainer) -> list[Table]:
    return [cast(Table, logger) for logger in trainer.loggers if hasattr(logger, "keep_first_rows")]
