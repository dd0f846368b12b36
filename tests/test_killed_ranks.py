"""Ranks that are to die at the same moment do so whichever comes first."""

from __future__ import annotations

import multiprocessing
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from resnet_zoo.callbacks import resume_trial
from resnet_zoo.callbacks.resume_trial import _die_together


def _rank(folder: Path, rank: int) -> BaseProcess:
    process = multiprocessing.get_context("fork").Process(target=_die_together, args=(folder, rank, 2))
    process.start()
    return process


@pytest.mark.parametrize("first", [0, 1])
def test_a_rank_waits_for_the_other(first: int, tmp_path: Path) -> None:
    early = _rank(tmp_path, first)
    early.join(0.3)
    assert early.is_alive()
    late = _rank(tmp_path, 1 - first)
    for process in (early, late):
        process.join(60)
        assert process.exitcode == -signal.SIGKILL


def test_a_rank_that_does_not_come_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resume_trial, "ARRIVAL_SECONDS", 0.0)
    with pytest.raises(RuntimeError, match=r"ranks \[0\] did not come to where all are killed"):
        _die_together(tmp_path, 1, 2)
