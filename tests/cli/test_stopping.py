"""A training that a signal stops: saved, said, with an exit code, and gone on from there as if nothing had been."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback

from resnet_zoo.cli import run_end, training
from resnet_zoo.cli.main import main
from resnet_zoo.runs import read_status, write_status
from tests.tiny_runs import assert_same_weights, fit_words, last_checkpoint


@contextmanager
def signal_once(number: signal.Signals, file: Path) -> Iterator[None]:
    """Send this process a signal as soon as a file is there."""

    def wait_and_send() -> None:
        deadline = time.monotonic() + 120
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=wait_and_send)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@pytest.mark.parametrize(
    ("number", "code", "status"),
    [
        (signal.SIGTERM, 85, "preempted"),
        (signal.SIGUSR1, 85, "preempted"),
        (signal.SIGINT, 130, "interrupted"),
    ],
)
def test_a_signal_saves_and_says_how_to_go_on(
    number: signal.Signals, code: int, status: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    handler = signal.getsignal(number)
    with signal_once(number, run / "checkpoints/last.ckpt"):
        assert main(fit_words(run, "--trainer.max_epochs", "10000")) == code
    assert signal.getsignal(number) is handler
    written = read_status(run / "status.json")
    saved = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    assert written["status"] == status
    assert written["exit_code"] == code
    assert written["step"] == saved["global_step"] > 0
    shown = capfd.readouterr().err
    assert f"{number.name}: stopping after the update or validation at hand" in shown
    assert f"Stopped by {number.name} after update {saved['global_step']}" in shown
    assert f"--run_dir={run} --resume=auto" in shown


class SignalAt(Callback):
    """This process gets signals in the middle of the ninth update, which is in the second of three epochs."""

    def __init__(self, *numbers: signal.Signals) -> None:
        self.numbers = numbers

    def on_train_batch_start(self, trainer: Any, *args: Any) -> None:
        if trainer.global_step == 8:
            for number in self.numbers:
                os.kill(os.getpid(), number)


def test_a_stopped_run_that_goes_on_ends_with_the_weights_of_one_that_was_never_stopped(
    tmp_path: Path,
) -> None:
    run, twin = tmp_path / "run", tmp_path / "twin"
    assert training.main(fit_words(run), [SignalAt(signal.SIGTERM)]) == 85
    assert last_checkpoint(run)["global_step"] == 9
    assert main(fit_words(run, "--resume", "auto")) == 0
    assert read_status(run / "status.json")["status"] == "finished"
    assert main(fit_words(twin)) == 0
    assert_same_weights(run, twin)
    assert (run / "test.json").read_text() == (twin / "test.json").read_text().replace(str(twin), str(run))


def signal_while_writing(monkeypatch: pytest.MonkeyPatch, state: str, number: signal.Signals) -> None:
    """This process gets a signal when it begins to write this status."""

    def write(path: Path, status: Any, message: str = "", **details: Any) -> None:
        if status == state:
            os.kill(os.getpid(), number)
        write_status(path, status, message, **details)

    monkeypatch.setattr(run_end, "write_status", write)


@pytest.mark.parametrize(
    ("number", "code", "status"), [(signal.SIGTERM, 85, "preempted"), (signal.SIGINT, 130, "interrupted")]
)
def test_a_signal_before_the_training_leaves_nothing_to_save(
    number: signal.Signals, code: int, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    signal_while_writing(monkeypatch, "running", number)
    assert main(fit_words(run, "--trainer.max_epochs", "10000")) == code
    written = read_status(run / "status.json")
    assert (written["status"], written["exit_code"], written["checkpoint"]) == (status, code, None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_after_the_end_changes_nothing(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    signal_while_writing(monkeypatch, "finished", number)
    assert main(fit_words(run)) == 0
    assert read_status(run / "status.json")["status"] == "finished"


class SignalAsItEnds(SignalAt):
    """Stopped by a first signal, this process gets the same again while the trainer is taken down."""

    def on_exception(self, trainer: Any, *args: Any) -> None:
        os.kill(os.getpid(), self.numbers[0])


def test_a_signal_that_is_sent_again_while_the_first_is_answered_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    signal_while_writing(monkeypatch, "preempted", signal.SIGTERM)
    assert training.main(fit_words(run), [SignalAsItEnds(signal.SIGTERM)]) == 85
    written = read_status(run / "status.json")
    assert (written["status"], written["step"]) == ("preempted", 9)
    assert written["checkpoint"] == str(run / "checkpoints/last.ckpt")


def test_a_loss_that_is_no_number_is_one_message_and_a_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    rate = ["--model.optimizer.lr", "1e30", "--model.lr_schedule", "ConstantSchedule"]
    assert main(fit_words(run, *rate)) == 1
    shown = capsys.readouterr().err
    assert "training diverged" in shown
    assert "Traceback" not in shown
    written = read_status(run / "status.json")
    assert written["status"] == "diverged"
    assert "learning rate" in written["message"]


def test_a_second_ctrl_c_ends_at_once_and_leaves_the_last_checkpoint(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert training.main(fit_words(run), [SignalAt(signal.SIGINT, signal.SIGINT)]) == 130
    status = read_status(run / "status.json")
    assert (status["status"], status["message"]) == ("interrupted", "interrupted at once, without saving")
    assert last_checkpoint(run)["global_step"] == 5
    shown = capfd.readouterr().err
    assert "Ctrl-C once more stops at once" in shown
    assert f"Interrupted at once. To go on: resnet-zoo fit --config={run.parent / 'config.yaml'}" in shown
