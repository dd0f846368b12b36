"""Which checkpoint '--resume auto' continues, what a full disk does to a run, and who may use its directory."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
import torch

from resnet_zoo.callbacks import checkpoint_io
from resnet_zoo.cli.main import main
from resnet_zoo.runs import RunDirectoryLock, read_status
from tests.tiny_runs import UPDATES_PER_EPOCH, assert_same_weights, fit_words, last_checkpoint


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three epochs."""
    run = tmp_path_factory.mktemp("finished") / "run"
    assert main(fit_words(run)) == 0
    return run


@pytest.mark.parametrize("damage", ["cut short", "a flipped bit"])
def test_a_damaged_last_checkpoint_is_passed_over_and_said_so(
    damage: str, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(fit_words(run)) == 0
    last = run / "checkpoints/last.ckpt"
    (run / "checkpoints/.last.ckpt.999999.part").write_bytes(b"half")
    data = bytearray(last.read_bytes())
    if damage == "cut short":
        del data[len(data) // 2 :]
    else:
        weight = last_checkpoint(run)["state_dict"]["head.weight"].numpy().tobytes()
        data[data.index(weight) + 5] ^= 1
    last.write_bytes(bytes(data))
    assert main(fit_words(run, "--resume", "auto")) == 0
    shown = capsys.readouterr().err
    assert f"checkpoint '{last}' is damaged and was passed over" in shown
    assert f"continuing from '{run / 'checkpoints/previous.ckpt'}': update 10" in shown
    assert "which a killed process left half written" in shown
    assert {path.name for path in last.parent.iterdir()} == {
        "last.ckpt", "previous.ckpt", "best.ckpt", "last.ckpt.damaged"
    }  # fmt: skip
    assert_same_weights(run, finished)


def test_a_finished_run_started_again_is_scored_again_and_has_the_same_metrics(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert main(fit_words(run)) == 0
    metrics, scores = (run / "metrics.csv").read_text(), (run / "test.json").read_text()
    assert main(fit_words(run, "--resume", "auto")) == 0
    assert (run / "metrics.csv").read_text() == metrics
    assert (run / "test.json").read_text() == scores


def _fail_to_save(monkeypatch: pytest.MonkeyPatch, from_call: int, to_call: int) -> None:
    save, calls = torch.save, iter(range(1000))

    def onto_a_full_disk(obj: Any, file: Path) -> None:
        if from_call <= next(calls) < to_call:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(obj, file)

    monkeypatch.setattr(checkpoint_io.torch, "save", onto_a_full_disk)


def test_training_goes_on_while_the_disk_is_full_and_catches_up(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _fail_to_save(monkeypatch, 1, 3)
    run = tmp_path / "run"
    assert main(fit_words(run)) == 0
    shown = capsys.readouterr().err
    assert shown.count("no space is left on the disk. The one before it is untouched; training goes on") == 2
    assert_same_weights(run, finished)


def test_a_disk_that_stays_full_ends_the_run_with_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _fail_to_save(monkeypatch, 2, 1000)
    run = tmp_path / "run"
    assert main(fit_words(run)) == 1
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    assert shown.rstrip().endswith("no space is left on the disk. The checkpoint before it is untouched.")
    assert read_status(run / "status.json")["status"] == "failed"
    assert last_checkpoint(run)["global_step"] == UPDATES_PER_EPOCH


def test_a_second_process_in_the_same_run_directory_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    first = RunDirectoryLock(run)
    first.acquire()
    for resume in ([], ["--resume", "auto"]):
        assert main(fit_words(run, *resume)) == 2
        assert f"run directory '{run}' is in use by process" in capsys.readouterr().err
    first.release()
    assert list(run.iterdir()) == []


def test_the_best_epoch_of_another_directory_is_not_waited_for(finished: Path, tmp_path: Path) -> None:
    """Continued elsewhere, a run that never gets better than before still has a best checkpoint of its own."""
    content = torch.load(finished / "checkpoints/last.ckpt", weights_only=True)
    (kept,) = [state for state in content["callbacks"].values() if "best_score" in state]
    kept["best_score"] = 101.0
    torch.save(content, tmp_path / "continued.ckpt")
    words = ["--ckpt_path", str(tmp_path / "continued.ckpt"), "--trainer.max_epochs", "4"]
    assert main(fit_words(tmp_path / "run", *words)) == 0
    assert (tmp_path / "run/checkpoints/best.ckpt").exists()
    assert (tmp_path / "run/test.json").exists()
