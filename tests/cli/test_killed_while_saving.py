"""A process that is killed while it writes a checkpoint leaves the one before, which the next start continues."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resnet_zoo.callbacks import checkpoint_io
from resnet_zoo.callbacks.checkpoint_io import read_checkpoint
from resnet_zoo.cli.main import main
from resnet_zoo.runs import LAST, PREVIOUS, atomic
from tests.ranks import run_on_ranks
from tests.tiny_runs import UPDATES_PER_EPOCH, assert_same_weights, fit_words, steps_of_metrics


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def in_the_middle_of_the_write(due: Callable[[], bool]) -> None:
    save = checkpoint_io.torch.save

    def half(content: Any, file: Path) -> None:
        save(content, file)
        if LAST in file.name and due():
            os.truncate(file, file.stat().st_size // 2)
            die()

    checkpoint_io.torch.save = half


def _before_a_name_is_given(name: str, due: Callable[[], bool], after: bool = False) -> None:
    replace = Path.replace

    def dying(self: Path, target: Path) -> Path:
        is_it = Path(target).name == name and due()
        if is_it and not after:
            die()
        replaced = replace(self, target)
        if is_it:
            die()
        return replaced

    Path.replace = dying  # type: ignore[method-assign]


def before_the_one_before_has_its_name(due: Callable[[], bool]) -> None:
    _before_a_name_is_given(PREVIOUS, due)


def before_the_content_is_on_the_disk(due: Callable[[], bool]) -> None:
    synchronise = atomic._synchronise

    def dying(path: Path) -> None:
        if LAST in path.name and due():
            die()
        synchronise(path)

    atomic._synchronise = dying


def between_fsync_and_rename(due: Callable[[], bool]) -> None:
    _before_a_name_is_given(LAST, due)


def after_the_rename(due: Callable[[], bool]) -> None:
    _before_a_name_is_given(LAST, due, after=True)


def _fit_and_die(words: list[str], moment: Callable[[Callable[[], bool]], None], at_call: int) -> int:
    """Runs in a child: at the so-manieth checkpoint it dies."""
    calls = iter(range(1, 1000))
    moment(lambda: next(calls) == at_call)
    return main(words)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happened to."""
    run = tmp_path_factory.mktemp("straight") / "run"
    assert main(fit_words(run)) == 0
    return run


@pytest.mark.parametrize(
    ("moment", "at_call", "epochs_kept"),
    [
        (in_the_middle_of_the_write, 2, 1),
        (before_the_one_before_has_its_name, 1, 1),
        (before_the_content_is_on_the_disk, 2, 1),
        (between_fsync_and_rename, 2, 1),
        (after_the_rename, 2, 2),
    ],
)
def test_the_checkpoint_before_survives_and_is_continued(
    moment: Any, at_call: int, epochs_kept: int, straight: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    run = tmp_path / "run"
    assert run_on_ranks(1, _fit_and_die, fit_words(run), moment, at_call, expects_death=True) == [-9]
    folder = run / "checkpoints"
    parts = sorted(folder.glob(".*.part"))
    assert bool(parts) is (moment is not after_the_rename)
    assert read_checkpoint(folder / LAST)["global_step"] == epochs_kept * UPDATES_PER_EPOCH

    assert main(fit_words(run, "--resume", "auto")) == 0
    shown = capsys.readouterr().err
    for part in parts:
        assert f"removed '{part}', which a killed process left half written." in shown
    assert f"continuing from '{folder / LAST}': update {epochs_kept * UPDATES_PER_EPOCH}" in shown
    assert "damaged" not in shown
    assert {path.name for path in folder.iterdir()} == {LAST, PREVIOUS, "best.ckpt"}
    assert_same_weights(run, straight)
    assert steps_of_metrics(run) == steps_of_metrics(straight)


def test_killed_in_the_first_write_it_starts_again(
    straight: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    dead = run_on_ranks(1, _fit_and_die, fit_words(run), in_the_middle_of_the_write, 1, expects_death=True)
    assert dead == [-9]
    assert not (run / "checkpoints" / LAST).exists()
    assert main(fit_words(run, "--resume", "auto")) == 0
    assert "which a killed process left half written" in capsys.readouterr().err
    assert_same_weights(run, straight)
