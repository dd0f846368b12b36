"""How a trial of resuming is laid out: how far it trains, where it is killed, and which checkpoint is there then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from resnet_zoo.cli.arguments import Arguments
from resnet_zoo.cli.building import build
from resnet_zoo.cli.expected_time import length_of_training
from resnet_zoo.cli.explain import world_size
from resnet_zoo.cli.launch import Launch
from resnet_zoo.cli.training_cli import TrainingCLI
from resnet_zoo.errors import InvalidValue

LONGEST_EPOCH = 60
"""Updates that a longer epoch is cut to: enough for a row of metrics, a checkpoint, and updates that are made again."""
ROOM_AFTER_KILL = 20
EVALUATED_BATCHES = 10
"""Of an evaluation, where epochs are cut."""
MOST_MADE_AGAIN = 10


@dataclass(frozen=True)
class TrialPlan:
    """Where a trial is killed, and how long it goes on.

    Attributes:
        updates_per_epoch: in the trial.
        total_updates: of the whole training, with epochs of that length.
        kill_at: the number of updates after which it is killed.
        checkpoint_every: ``checkpoint.every_n_steps``, so that the last checkpoint is some updates old; None where
            there are too few updates before.
        epochs: after how many the trial ends; None trains to the end.
        words: the options of ``fit`` that follow.
        may_vary: whether it trains on a GPU whose kernels need not repeat their results.
    """

    updates_per_epoch: int
    total_updates: int
    kill_at: int
    checkpoint_every: int | None
    epochs: int | None
    words: list[str] = field(default_factory=list)
    may_vary: bool = False

    def lines(self) -> Iterator[str]:
        """The plan in words."""
        whole_epochs = -(-self.total_updates // self.updates_per_epoch)
        here = whole_epochs if self.epochs is None else self.epochs
        updates = min(here * self.updates_per_epoch, self.total_updates)
        part = "all of it" if here == whole_epochs else "--whole trains all"
        yield f"trains {updates:,} of {self.total_updates:,} updates, {here} of {whole_epochs} epochs ({part})"
        if any(word.startswith("--trainer.limit_train_batches") for word in self.words):
            yield (
                f"epochs are cut to {self.updates_per_epoch} updates and evaluations to {EVALUATED_BATCHES} batches "
                "(--whole, or trainer.limit_train_batches, trains longer ones)"
            )
        epoch, position = divmod(self.kill_at - 1, self.updates_per_epoch)
        where = f"update {position + 1} of {self.updates_per_epoch} in epoch {epoch + 1}"
        saved = self.checkpoint_every
        newest = f"a checkpoint every {saved} updates" if saved else "checkpoints at epoch ends"
        yield f"is killed after update {self.kill_at} ({where}), with {newest}"
        if self.may_vary:
            yield (
                "trains on a GPU, where a kernel need not give the same result twice; --trainer.deterministic true "
                "makes it, or names the operation that cannot"
            )


def make_plan(arguments: Arguments, kill_at: int | None, whole: bool) -> TrialPlan:
    """Lay out a trial of what ``fit`` with these arguments would train.

    Args:
        arguments: of ``fit``.
        kill_at: the number of updates after which to kill, if somebody chose it.
        whole: whether to train to the config's end with epochs of full length.

    Raises:
        UserMistake: what ``fit`` would raise before it trains.
        InvalidValue: there is no such update.
    """
    cli = TrainingCLI("fit", arguments, Launch("none"), construct=False)
    data = build(cli.parser, cli.config).data
    trainer, ranks = cli.config.trainer, world_size(cli)
    accumulation = int(trainer.accumulate_grad_batches)
    data.check_batch_size(ranks, accumulation)
    limit = trainer.overfit_batches or trainer.limit_train_batches
    per_epoch = _limited(limit, data.num_updates_per_epoch(), accumulation)
    words: list[str] = []
    longest = max(
        LONGEST_EPOCH, (kill_at or 0) + ROOM_AFTER_KILL, _validation_interval(trainer, accumulation)
    )
    if not whole and limit is None and longest < per_epoch:
        per_epoch = longest
        words.append(f"--trainer.limit_train_batches={longest * accumulation}")
        words += [
            f"--trainer.{limit}={EVALUATED_BATCHES}"
            for limit in ("limit_val_batches", "limit_test_batches")
            if getattr(trainer, limit) is None
        ]
    total = length_of_training(cli, per_epoch).total_steps
    every = cli.config.checkpoint.every_n_steps
    if kill_at is None:
        kill_at = chosen_kill(per_epoch, total, every)
    elif kill_at > total:
        raise InvalidValue(
            f"--kill-at {kill_at}: this training has {total:,} updates, {per_epoch:,} an epoch. Use 1 to {total}."
        )
    if every is None and (every := chosen_checkpoint(per_epoch, kill_at)) is not None:
        words.append(f"--checkpoint.every_n_steps={every}")
    epochs = None if whole else min((kill_at - 1) // per_epoch + 2, -(-total // per_epoch))
    return TrialPlan(per_epoch, total, kill_at, every, epochs, words, _may_vary(trainer))


def chosen_kill(per_epoch: int, total: int, every: int | None = None) -> int:
    """An update in the middle of the second epoch, or of the first where there is no second.

    The second epoch is better: whatever goes wrong with the order of an epoch other than the first shows.

    Args:
        per_epoch: updates in an epoch.
        total: updates in all.
        every: how often a checkpoint is written within an epoch, if that is given.
    """
    start = per_epoch if total > per_epoch else 0
    last = min(start + per_epoch, total)
    middle = min(start + per_epoch // 2 + 1, last)
    for candidate in range(middle, last + 1):
        if every is not None and candidate % every and candidate // every * every > start:
            return candidate
        if every is None and chosen_checkpoint(per_epoch, candidate) is not None:
            return candidate
    return middle


def chosen_checkpoint(per_epoch: int, kill_at: int) -> int | None:
    """The number of updates between checkpoints that leaves the last one before the kill in the same epoch, some
    updates back; None where there is no such number.
    """
    position = (kill_at - 1) % per_epoch + 1
    for made_again in range(min(position // 3, MOST_MADE_AGAIN) or 1, 0, -1):
        every = kill_at - made_again
        if made_again < min(
            position, every
        ):  # within this epoch; and the second multiple comes after the kill
            return every
    return None


def _limited(limit: int | float | None, updates: int, accumulation: int) -> int:
    """Updates of an epoch under ``trainer.limit_train_batches``, as Lightning reads it: a count, or a share up to 1."""
    if limit is None:
        return updates
    batches = updates * accumulation
    taken = int(batches * limit) if isinstance(limit, float) and limit <= 1 else min(batches, int(limit))
    return max(1, -(-taken // accumulation))


def _validation_interval(trainer: Any, accumulation: int) -> int:
    """Updates that an epoch must have for a validation after every so many batches; 0 for a share of the epoch."""
    interval = trainer.val_check_interval
    return 0 if interval is None or interval <= 1 else -(-int(interval) // accumulation)


def _may_vary(trainer: Any) -> bool:
    on_gpu = trainer.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return on_gpu and not trainer.deterministic
