"""When a trial of resuming is killed: in mid-epoch, some updates after a checkpoint."""

from __future__ import annotations

import pytest

from resnet_zoo.cli.trial_plan import chosen_checkpoint, chosen_kill


@pytest.mark.parametrize("per_epoch", [1, 2, 3, 4, 7, 20, 60, 5005])
@pytest.mark.parametrize("epochs", [1, 2, 3, 90])
def test_the_kill_is_in_mid_epoch_some_updates_after_a_checkpoint(per_epoch: int, epochs: int) -> None:
    kill = chosen_kill(per_epoch, per_epoch * epochs)
    start = (kill - 1) // per_epoch * per_epoch
    assert start == (per_epoch if epochs > 1 else 0)
    assert start < kill <= start + per_epoch
    every = chosen_checkpoint(per_epoch, kill)
    assert (every is None) == (per_epoch == 1 or (per_epoch, epochs) == (2, 1))
    if every is not None:
        assert start < kill // every * every < kill
        assert start + per_epoch > kill or per_epoch <= 3


@pytest.mark.parametrize("every", [1, 3, 7])
def test_a_checkpoint_interval_that_was_given_is_kept(every: int) -> None:
    kill = chosen_kill(20, 100, every)
    assert 20 < kill <= 40
    assert every == 1 or (kill % every and kill // every * every > 20)
