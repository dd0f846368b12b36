"""A clock that is set back, between two starts or in the middle, and file times to match, change nothing in a run."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from resnet_zoo.callbacks.checkpoint_io import read_checkpoint
from resnet_zoo.callbacks.resume_trial import KillAt
from resnet_zoo.cli import training
from resnet_zoo.cli.main import main
from resnet_zoo.cli.run_setup import newest_run
from resnet_zoo.runs import RunDirectory
from tests.ranks import run_on_ranks
from tests.tiny_runs import assert_same_weights, fit_words, steps_of_metrics

DAY = 86400.0


def run_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the clock finds it a day earlier than the one before."""
    looks = iter(range(10**9))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - DAY * next(looks))


def make_oldest(*paths: Path) -> None:
    """File times as of a clock that has been set back since: the newest file looks oldest."""
    for age, path in enumerate(paths):
        os.utime(path, (1e9 + DAY * age, 1e9 + DAY * age))


def test_a_run_whose_clock_goes_backwards_is_the_run_of_one_whose_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    straight, run = tmp_path / "straight", tmp_path / "run"
    assert main(fit_words(straight)) == 0
    run_backwards(monkeypatch)
    words, stop = fit_words(run, "--checkpoint.every_n_minutes", "1e-9"), [KillAt(12)]
    assert run_on_ranks(1, training.main, words, stop, expects_death=True) == [-signal.SIGKILL]
    # Minutes are measured by a clock that nobody sets: within the epoch every update was saved.
    folder = run / "checkpoints"
    saved = [read_checkpoint(folder / name)["global_step"] for name in ("previous.ckpt", "last.ckpt")]
    assert saved == [11, 12]

    make_oldest(folder / "last.ckpt", folder / "previous.ckpt", folder / "best.ckpt", run / "metrics.csv")
    capsys.readouterr()
    assert main([*words, "--resume", "auto"]) == 0
    shown = capsys.readouterr()
    assert f"continuing from '{folder / 'last.ckpt'}': update 12" in shown.err
    assert re.search(r"training  \d+\.\d s, [\d,]+ images/s", shown.out)
    assert_same_weights(run, straight)
    assert steps_of_metrics(run) == steps_of_metrics(straight)


def test_runs_are_numbered_and_continued_by_number_and_not_by_time(tmp_path: Path) -> None:
    runs = [RunDirectory.create(tmp_path, "tiny").path for _ in range(11)]
    make_oldest(*reversed(runs))
    assert newest_run(tmp_path / "tiny") == runs[-1] == tmp_path / "tiny" / "11"
    make_oldest(*runs)
    assert newest_run(tmp_path / "tiny") == runs[-1]
    assert RunDirectory.create(tmp_path, "tiny").path.name == "12"
