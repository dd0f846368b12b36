"""A disk that becomes full or read-only in the middle of a run: nothing whole is lost, and one message says it.

The disk is a real one of half a megabyte, seen by the training's process only.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Callback

from resnet_zoo.cli import training
from resnet_zoo.cli.main import main
from resnet_zoo.runs import lock, read_status
from tests import own_disks
from tests.ranks import run_on_ranks
from tests.tiny_runs import (
    UPDATES_PER_EPOCH,
    assert_same_weights,
    fit_words,
    last_checkpoint,
    steps_of_metrics,
)

EPOCHS = 24
"""So many that the rows of ``metrics.csv`` need another block of the disk."""


class AtMoments(Callback):
    """Does something to the disk at the start of epochs, or of the final test."""

    def __init__(self, folder: Path, acts: dict[int | str, Callable[[Path], Any]]) -> None:
        self.folder = folder
        self.acts = acts

    def on_train_epoch_start(self, trainer: Any, *args: Any) -> None:
        self._act(trainer.current_epoch)

    def on_test_epoch_start(self, *args: Any) -> None:
        self._act("test")

    def _act(self, moment: int | str) -> None:
        if moment in self.acts:
            self.acts.pop(moment)(self.folder)


def make_room(folder: Path) -> None:
    (folder / "filler").unlink()


def _fit_on_own_disk(run: Path, copy: Path, acts: dict[int | str, Callable[[Path], Any]]) -> int:
    """Train into a folder on a disk of its own; what is there afterwards is copied to where it can be seen."""
    words = fit_words(run, "--trainer.max_epochs", str(EPOCHS), "--trainer.log_every_n_steps", "1")
    run.mkdir()
    lock.BEAT_SECONDS = 3600.0  # a file that is being written keeps the system from making a disk read-only
    own_disks.mount_own_disk(run, 512)
    code = training.main(words, [AtMoments(run, acts)])
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("filler"))
    return code


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happened to."""
    run = tmp_path_factory.mktemp("straight") / "run"
    words = fit_words(run, "--trainer.max_epochs", str(EPOCHS), "--trainer.log_every_n_steps", "1")
    assert main(words) == 0
    return run


@pytest.fixture
def fit(tmp_path: Path) -> Callable[..., tuple[int, Path]]:
    """Trains on a disk that things happen to; exit code, and what it left."""
    if why := own_disks.why_none():
        pytest.skip(why)

    def run(acts: dict[int | str, Callable[[Path], Any]]) -> tuple[int, Path]:
        [code] = run_on_ranks(1, _fit_on_own_disk, tmp_path / "run", tmp_path / "left", acts)
        return code, tmp_path / "left"

    return run


def test_a_disk_that_is_full_for_a_while_costs_nothing(
    straight: Path, fit: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    code, left = fit({1: own_disks.fill, EPOCHS - 1: make_room})
    shown = capfd.readouterr().err
    assert code == 0, shown
    assert_same_weights(left, straight)
    assert steps_of_metrics(left) == steps_of_metrics(straight)
    assert "last.ckpt' was not written: no space is left on the disk. The one before it is untouched" in shown
    assert shown.count("metrics.csv' cannot be written (No space left on device); the training goes on") == 1
    assert read_status(left / "status.json")["status"] == "finished"
    assert {path.name for path in (left / "checkpoints").iterdir()} >= {"last.ckpt", "best.ckpt"}


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (own_disks.fill, "no space is left on the disk"),
        (own_disks.make_read_only, "the file system is read-only"),
    ],
)
def test_a_disk_that_stays_so_ends_the_run_with_what_was_whole_before(
    act: Callable[[Path], Any], reason: str, straight: Path, fit: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    code, left = fit({1: act})
    shown = capfd.readouterr().err
    assert code == 1
    assert "Traceback" not in shown
    assert last_checkpoint(left)["global_step"] == UPDATES_PER_EPOCH
    assert not list((left / "checkpoints").glob(".*.part"))
    steps = steps_of_metrics(left)
    assert steps == steps_of_metrics(straight)[: len(steps)]
    assert f"last.ckpt' was not written: {reason}. The checkpoint before it is untouched." in shown
    assert shown.count(f"rows of '{left.parent / 'run/metrics.csv'}' are lost") == 1

    assert main(fit_words(left, "--resume", "auto", "--trainer.max_epochs", str(EPOCHS))) == 0
    assert_same_weights(left, straight)


def test_a_disk_that_is_full_when_all_is_trained_leaves_the_checkpoint(
    straight: Path, fit: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    code, left = fit({"test": own_disks.fill})
    shown = capfd.readouterr().err
    assert code == 1
    assert "Traceback" not in shown
    assert (
        "test.json' was not written: no space is left on the disk. Make room, or choose another disk" in shown
    )
    assert_same_weights(left, straight)
    assert not (left / "test.json").exists()


def _begin_on_a_full_disk(run: Path) -> tuple[int, list[str]]:
    run.mkdir()
    own_disks.mount_own_disk(run, 64)
    filler = own_disks.fill(run)
    code = main(fit_words(run))
    return code, [path.name for path in run.iterdir() if path != filler]


def test_a_full_disk_at_the_start_is_a_sentence_and_leaves_nothing(
    fit: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    [(code, left)] = run_on_ranks(1, _begin_on_a_full_disk, tmp_path / "run")
    shown = capfd.readouterr().err
    assert (code, left) == (1, [])
    assert "was not written: no space is left on the disk" in shown
    assert "Traceback" not in shown
