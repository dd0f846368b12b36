"""Stop all ranks at the end of the same update when any of them is asked to, with everything saved."""

from __future__ import annotations

import signal
import time
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from resnet_zoo.callbacks.checkpoints import Checkpoints, validation_follows
from resnet_zoo.callbacks.lightning_signals import leave_signals_to_us
from resnet_zoo.callbacks.stop_signals import Stopped, StopSignals

SECONDS_BETWEEN_QUESTIONS = 1.0
MOST_UPDATES_BETWEEN_QUESTIONS = 500


class Agreement:
    """Whether any rank was asked to stop, found out without making an update wait.

    The ranks take the larger of two numbers over a group of CPUs: the signal that one of them got, and after how many
    updates to look again. This is started at one update and read that many updates later, when it is long there, and
    since all ranks read the same numbers, all of them come to the same decision at the same update.

    Args:
        num_ranks: how many ranks there are; a single one needs no agreement.
        timeout: seconds to wait for another rank.
    """

    def __init__(self, num_ranks: int, timeout: float) -> None:
        self._group: dist.ProcessGroup | None = None
        if num_ranks > 1:
            group = dist.new_group(backend="gloo", timeout=timedelta(seconds=timeout))
            assert isinstance(group, dist.ProcessGroup)
            self._group = group
        self._pending: tuple[dist.Work, torch.Tensor] | None = None
        self._wait = 1
        self._since = time.monotonic()

    def after_update(self, asked: int) -> int:
        """To be called by all ranks after the same updates.

        Args:
            asked: the number of the signal that asked this rank to stop, 0 if none did.

        Returns:
            the number of the signal to stop for now, 0 to go on; the same on all ranks.
        """
        if self._group is None:
            return asked
        self._wait -= 1
        if self._wait > 0:
            return 0
        stop, updates = self._answer()
        if stop:
            return stop
        now = time.monotonic()
        seconds = (now - self._since) / updates
        proposed = int(SECONDS_BETWEEN_QUESTIONS / max(seconds, 1e-6))
        self._since, self._wait = now, updates
        self._ask(asked, min(max(proposed, 1), MOST_UPDATES_BETWEEN_QUESTIONS))
        return 0

    def now(self, asked: int) -> int:
        """Agree at once: waits for the slowest rank. Arguments and result are those of ``after_update``."""
        if self._group is None:
            return asked
        pending, _ = self._answer()
        self._ask(asked, 1)
        stop, _ = self._answer()
        self._wait, self._since = 1, time.monotonic()
        return stop or pending

    def _ask(self, asked: int, updates: int) -> None:
        numbers = torch.tensor([asked, updates])
        work = dist.all_reduce(numbers, dist.ReduceOp.MAX, group=self._group, async_op=True)
        assert work is not None
        self._pending = work, numbers

    def _answer(self) -> tuple[int, int]:
        if self._pending is None:
            return 0, 1
        work, numbers = self._pending
        work.wait()
        self._pending = None
        return int(numbers[0]), int(numbers[1])


class Preemption(Checkpoint):
    """Saves ``last.ckpt`` and raises ``Stopped`` on all ranks once any of them was asked to stop.

    Between two updates this happens within about two seconds. A validation is finished first, since its epoch would
    otherwise be trained again. It is a ``Checkpoint`` so that Lightning calls it after every other callback, when what
    belongs to the update is done.

    Args:
        signals: where they are noted.
        checkpoints: writes the file; must stand before this one among the callbacks.
        rank_timeout: seconds that a rank waits for another.
    """

    def __init__(self, signals: StopSignals, checkpoints: Checkpoints, rank_timeout: float) -> None:
        leave_signals_to_us()
        self.signals = signals
        self.checkpoints = checkpoints
        self.rank_timeout = rank_timeout
        self._agreement: Agreement | None = None

    @property
    def _asked(self) -> int:
        return int(self.signals.received or 0)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """From here on there is something to lose."""
        self._agreement = Agreement(trainer.world_size, self.rank_timeout)
        self.signals.deferred = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop here if it is agreed; the end of an epoch is left to ``on_train_epoch_end``."""
        if (batch_idx + 1) % trainer.accumulate_grad_batches or validation_follows(trainer, batch_idx):
            return
        assert self._agreement is not None
        if number := self._agreement.after_update(self._asked):
            self._stop(trainer, pl_module, number)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop between two epochs; a training at its end goes on to its end."""
        assert self._agreement is not None
        number = self._agreement.now(self._asked)
        if number and not self._is_last_epoch(trainer):
            self._stop(trainer, pl_module, number)

    def _is_last_epoch(self, trainer: Trainer) -> bool:
        steps, epochs = trainer.max_steps, trainer.max_epochs
        return (0 <= steps <= trainer.global_step) or (
            epochs is not None and trainer.current_epoch + 1 == epochs
        )

    def _stop(self, trainer: Trainer, pl_module: LightningModule, number: int) -> None:
        saved = self.checkpoints.save_last_once(trainer, pl_module)
        self.signals.settled = True
        raise Stopped(signal.Signals(number), str(saved), trainer.global_step, trainer.current_epoch)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Everything is saved."""
        self.signals.deferred = False

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Nobody looks at the signals any more."""
        self.signals.deferred = False
