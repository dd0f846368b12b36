"""Lightning's training loop without what every step of it asks anew and could have known since the epoch began.

For a net whose step takes a millisecond that is most of what a framework costs: which of the module and the data module
has written a hook for batches, and which of a dozen callbacks one for this place in the step; whether a validation is
defined; what was logged, where nothing ever is; and a loss divided by one, backward pass included.

What is called, in which order and with what, and every counter that a checkpoint holds are Lightning's own. The classes
derived from are private ones, so a training takes this loop only where Lightning's source is what it was when this was
written (``lightning_source``), and otherwise the one that Lightning has.
"""

from __future__ import annotations

import math
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.loops.fetchers import _DataFetcher, _DataLoaderIterDataFetcher
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.strategies import Strategy

from resnet_zoo.callbacks.lean_optimization import LeanOptimization
from resnet_zoo.callbacks.step_hooks import StepHooks


class LeanEpochLoop(_TrainingEpochLoop):
    """One epoch of training, batch by batch.

    It does as Lightning's loop does, through it, in the first step after a resume, and in all steps where somebody
    profiles, optimizes by hand, or has schedulers of Lightning's.

    Args:
        trainer: whose loop it becomes.
        min_steps: updates to make at least.
        max_steps: updates to make at most; -1 for no limit.
    """

    automatic_optimization: LeanOptimization

    def __init__(self, trainer: Trainer, min_steps: int | None = None, max_steps: int = -1) -> None:
        super().__init__(trainer, min_steps, max_steps)
        self.automatic_optimization = LeanOptimization(trainer)
        self._hooks: StepHooks | None = None

    @property
    def global_step(self) -> int:
        """Updates made; a dozen callbacks ask in every step."""
        if self._hooks is None:
            return super().global_step
        return self.automatic_optimization.optim_progress.optimizer.step.total.completed

    def on_run_start(self, data_fetcher: _DataFetcher) -> None:
        """Find the hooks of this epoch's steps."""
        super().on_run_start(data_fetcher)
        trainer = self.trainer
        usual = (
            isinstance(trainer.profiler, PassThroughProfiler)
            and trainer.lightning_module.automatic_optimization
            and not trainer.lr_scheduler_configs
            and type(trainer.strategy).batch_to_device is Strategy.batch_to_device
            and not isinstance(data_fetcher, _DataLoaderIterDataFetcher)
        )
        self._hooks = StepHooks(trainer) if usual else None
        if usual:
            data_fetcher._start_profiler = data_fetcher._stop_profiler = _nothing
        self.automatic_optimization.begin_epoch(self._hooks)

    def advance(self, data_fetcher: _DataFetcher) -> None:
        """One batch.

        Raises:
            StopIteration: a hook ends the epoch by returning -1, as it may.
        """
        if self._hooks is None or self.restarting:
            super().advance(data_fetcher)
            return
        trainer, progress, hooks = self.trainer, self.batch_progress, self._hooks
        if self.val_loop.restarting:
            self.val_loop.restarting = False
        if trainer.world_size > 1:
            self._broadcast_sigterm_tensor()
        batch, _, _ = next(data_fetcher)
        batch_idx = progress.current.ready
        progress.is_last_batch = data_fetcher.done
        batch = hooks.on_device(batch)
        progress.increment_ready()
        self._begin_batch(batch)
        if hooks.call("on_train_batch_start", batch, batch_idx) == -1:
            progress.increment_by(0, is_last_batch=True)
            progress.increment_processed()
            raise StopIteration
        trainer.strategy.on_train_batch_start(batch, batch_idx)
        progress.increment_started()
        arguments = hooks.arguments_of_step(batch, batch_idx)
        outputs = self.automatic_optimization.run(trainer.optimizers[0], batch_idx, arguments)
        progress.increment_processed()
        hooks.call("on_train_batch_end", outputs, batch, batch_idx)
        if self._results:
            trainer._logger_connector.on_batch_end()
        else:
            self._results.batch = self._results.batch_size = None
        progress.increment_completed()
        if self._results:
            trainer._logger_connector.update_train_step_metrics()

    def _begin_batch(self, batch: Any) -> None:
        """What the logger connector does, without asking which loop is at work."""
        connector, results = self.trainer._logger_connector, self._results
        connector._first_loop_iter = connector._first_loop_iter is None
        results.batch, results.batch_size, results.dataloader_idx = batch, None, None

    def on_advance_end(self, data_fetcher: _DataFetcher) -> None:
        """Validate where it is time, and end where it is; Lightning does both."""
        trainer = self.trainer
        if (
            self._hooks is None
            or self._skip_next_val
            or trainer.should_stop
            or trainer.received_sigterm
            or self._may_validate()
        ):
            super().on_advance_end(data_fetcher)
        elif not self._should_accumulate():
            self._batches_that_stepped += 1

    def _may_validate(self) -> bool:
        """Whether a validation may follow this batch."""
        every = self.trainer.val_check_batch
        return (
            every is None
            or self.batch_progress.is_last_batch
            or math.isinf(every)
            or self._batches_before_validation() % every == 0
        )

    def _batches_before_validation(self) -> int:
        """Of this epoch, or of the training where validations are counted over epochs."""
        over_epochs = self.trainer.check_val_every_n_epoch is None
        return (self.total_batch_idx if over_epochs else self.batch_idx) + 1


def _nothing() -> None:
    """Nobody profiles."""
