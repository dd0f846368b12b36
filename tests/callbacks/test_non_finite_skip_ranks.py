"""An update that is no number on one of two ranks is left out on both, counted once, and said once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback

from resnet_zoo.callbacks.checkpoint_io import read_checkpoint
from resnet_zoo.cli import training
from tests.ranks import run_on_ranks
from tests.tiny_runs import fit_words

BAD_UPDATES = (3, 8)
"""Counted from 0; the second is in the second epoch."""


class SpoilOneRank(Callback):
    """Rank 1's images are no numbers at chosen updates; rank 0's are as they were."""

    def __init__(self) -> None:
        self.weights: list[torch.Tensor] = []

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_rank == 1 and trainer.global_step in BAD_UPDATES:
            batch.images.fill_(float("nan"))

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *args: Any) -> None:
        self.weights.append(torch.cat([p.detach().flatten().clone() for p in pl_module.parameters()]))


def _fit(words: list[str]) -> tuple[int, list[list[float]]]:
    """The exit code, and the weights after every update."""
    spoil = SpoilOneRank()
    code = training.main(words, [spoil])
    return code, [weights.tolist() for weights in spoil.weights]


def test_both_ranks_leave_the_same_updates_out(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = fit_words(tmp_path / "run", "--non_finite.skip", "2", "--trainer.max_epochs", "2")
    (code, ours), (other_code, theirs) = run_on_ranks(2, _fit, words)
    assert (code, other_code) == (0, 0)
    assert ours == theirs
    unchanged = [step for step in range(1, len(ours)) if ours[step] == ours[step - 1]]
    assert tuple(unchanged) == BAD_UPDATES
    assert torch.tensor(ours).isfinite().all()

    checkpoint = read_checkpoint(tmp_path / "run/checkpoints/last.ckpt")
    assert checkpoint["callbacks"]["SkipNonFinite"] == {"skipped": 2}
    shown = capfd.readouterr().err
    assert shown.count("left out: its loss or gradients are not finite") == len(BAD_UPDATES)
    assert "(2 of at most 2)" in shown
    assert all(tensor.isfinite().all() for tensor in checkpoint["state_dict"].values())


def test_both_ranks_stop_at_the_one_after_the_last_allowed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = fit_words(tmp_path / "run", "--non_finite.skip", "1", "--trainer.max_epochs", "2")
    (code, ours), (other_code, theirs) = run_on_ranks(2, _fit, words)
    assert (code, other_code) == (1, 1)
    assert ours == theirs
    assert len(ours) == BAD_UPDATES[1]
    shown = capfd.readouterr().err
    assert shown.count("update 9 (epoch 1") == 1
    assert "and non_finite.skip=1 such updates were left out before" in shown
    assert read_checkpoint(tmp_path / "run/checkpoints/last.ckpt")["global_step"] == 5
