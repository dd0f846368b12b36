"""The command that proves resuming for a config: it finds what is exact exact, and what is not not, with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from resnet_zoo.cli import verify_resume
from resnet_zoo.cli.main import main
from resnet_zoo.cli.resume_trial_child import train
from resnet_zoo.data.loaders import ImageLoader
from resnet_zoo.errors import InvalidValue, UserMistake
from tests.ranks import run_on_ranks

# 5 updates an epoch, the last one shorter.
CONFIG = """
trainer: {max_epochs: 4, accelerator: cpu, enable_progress_bar: false, log_every_n_steps: 2}
model:
  backbone: {class_path: tests.small_nets.convolutional, init_args: {dropout: 0.3}}
  optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.02, momentum: 0.9}}
  lr_schedule: {class_path: OneCycleSchedule}
data:
  class_path: Synthetic
  init_args: {image_size: 8, num_train: 58, num_val: 21, num_test: 9, num_distinct: 58, global_batch_size: 12}
"""


@pytest.fixture
def config(tmp_path: Path) -> list[str]:
    (tmp_path / "config.yaml").write_text(CONFIG)
    return ["--config", str(tmp_path / "config.yaml")]


def forked(words: list[str], log: Path) -> int:
    """Train in a fork of this process, which has imported everything already."""
    log.touch()
    dies = any(word.startswith("--kill-at") for word in words)
    code: int = run_on_ranks(1, train, words, expects_death=dies)[0]
    return code


def test_an_exact_config_is_found_exact(
    config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify_resume.main([*config, f"--out={tmp_path / 'trial'}"], forked) == 0
    shown = capsys.readouterr().out
    assert "killed after update 8; its newest checkpoint is of update 7" in shown
    assert "trains 15 of 20 updates, 3 of 4 epochs" in shown
    same = [line.split()[1] for line in shown.splitlines() if line.startswith("same ")]
    assert {"weights", "optimizer", "callbacks", "metrics", "results", "samples"} <= set(same)
    assert shown.splitlines()[-1] == (
        "Identical: the training that was killed after update 8 and resumed from update 7 is to the last bit the one "
        "that was never stopped."
    )
    assert (tmp_path / "trial/uninterrupted/test.json").exists()


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        (
            "--model.backbone=tests.forgetful_nets.gaining_confidence",
            "cause      backbone.calls is 7 after update 7 and 0 after resuming from there",
        ),
        (
            "--model.backbone=tests.forgetful_nets.flipping_a_coin",
            "cause      Python's random generator is drawn from in training",
        ),
        pytest.param(
            "--model.backbone=tests.forgetful_nets.asking_the_system",
            "this config does not repeat itself, resumed or not",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "--trainer.callbacks={class_path: tests.forgetful_nets.ShrinkingGradients}",
            "cause      ShrinkingGradients.seen is 7 after update 7 and 0 after resuming from there",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["a counter", "Python's generator", "no seed", "a callback"],
)
def test_what_cannot_be_resumed_is_found_and_named(
    word: str, reason: str, config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*config, f"--out={tmp_path / 'trial'}", word]
    assert verify_resume.main(words, forked) == 1
    shown = capsys.readouterr().out
    assert "DIFFERENT  weights" in shown
    assert "same       samples" in shown
    assert reason in shown
    assert "NOT identical: the training that was killed after update 8" in shown


def test_a_loader_that_forgets_its_place_is_found_by_its_samples(
    config: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ImageLoader, "load_state_dict", lambda self, state: None)
    assert verify_resume.main([*config, f"--out={tmp_path / 'trial'}"], forked) == 1
    shown = capsys.readouterr().out
    assert "DIFFERENT  samples" in shown
    assert "first difference at rank 0, update 8" in shown
    assert "differs in its weights" in shown


def test_a_temporary_folder_goes_if_all_is_well_and_stays_if_not(
    config: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(verify_resume.tempfile, "tempdir", str(place))
    words = [*config, "--trainer.max_epochs=2", "--kill-at=3"]
    assert verify_resume.main(words, forked) == 0
    assert list(place.iterdir()) == []

    def failing(words: list[str], log: Path) -> int:
        log.write_text("the disk is on fire\n")
        return 1

    assert verify_resume.main(words, failing) == 1
    captured = capsys.readouterr()
    (kept,) = place.iterdir()
    assert f"both runs, their logs and notes are in '{kept}'" in captured.out
    assert "the disk is on fire\nthe uninterrupted training failed: exit code 1" in captured.err


def test_a_training_that_is_not_killed_is_no_proof(
    config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def untouched(words: list[str], log: Path) -> int:
        log.touch()
        return 0

    assert verify_resume.main([*config, f"--out={tmp_path / 'trial'}"], untouched) == 1
    assert "the interrupted training failed: it ended by itself, before update 8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--kill-at", "0"], "'0' is not a whole number of at least 1"),
        (["--kill-at", "21"], "--kill-at 21: this training has 20 updates, 5 an epoch. Use 1 to 20."),
        (["--resume", "auto"], "verify-resume does not take 'resume': it resumes by itself"),
        (["--run_dir", "runs/mine"], "verify-resume does not take 'run_dir'"),
        (["--trainer.fast_dev_run", "true"], "it needs checkpoints"),
        (["--devices", "5"], "does not divide over 5 ranks"),
        (["--trainer.max_epoch", "3"], "Did you mean 'trainer.max_epochs'?"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(
    words: list[str], message: str, config: list[str], tmp_path: Path
) -> None:
    def never(words: list[str], log: Path) -> int:
        raise AssertionError("nothing is to be trained")

    with pytest.raises(UserMistake) as caught:
        verify_resume.main([*config, *words, f"--out={tmp_path / 'trial'}"], never)
    assert message in str(caught.value)
    assert not (tmp_path / "trial").exists()


def test_a_folder_with_something_in_it_is_refused(config: list[str], tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="is not an empty folder"):
        verify_resume.main([*config, f"--out={tmp_path}"], forked)


def test_a_long_training_is_cut_unless_it_is_asked_for(
    config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[list[str]] = []

    def noting(words: list[str], log: Path) -> int:
        log.touch()
        seen.append(words)
        return 1

    long = [
        *config,
        "--data.num_train=12000",
        "--trainer.max_epochs=90",
        "--trainer.accumulate_grad_batches=2",
    ]
    ways = [
        [], ["--whole"], ["--trainer.limit_train_batches=300"], ["--kill-at=100"],
        ["--trainer.val_check_interval=180"], ["--trainer.overfit_batches=8"],
    ]  # fmt: skip
    for number, more in enumerate(ways):
        verify_resume.main([*long, *more, f"--out={tmp_path / str(number)}"], noting)
    shown = capsys.readouterr().out
    assert "trains 180 of 5,400 updates, 3 of 90 epochs (--whole trains all)" in shown
    assert "trains 90,000 of 90,000 updates, 90 of 90 epochs (all of it)" in shown
    assert "trains 450 of 13,500 updates" in shown
    assert "is killed after update 100 (update 100 of 120 in epoch 1)" in shown
    limits = [[word for word in words if "limit_train" in word] for words in seen]
    assert limits == [
        ["--trainer.limit_train_batches=120"], [], ["--trainer.limit_train_batches=300"],
        ["--trainer.limit_train_batches=240"], ["--trainer.limit_train_batches=180"], [],
    ]  # fmt: skip
    assert "trains 12 of 360 updates" in shown
    assert [any(word.startswith("--epochs") for word in words) for words in seen] == [
        True, False, True, True, True, True
    ]  # fmt: skip


@pytest.mark.slow
def test_two_ranks_that_lightning_starts(config: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify-resume", *config, "--devices", "2"]) == 0
    assert "on 2 ranks" in capsys.readouterr().out


def test_ranks_from_outside_are_refused(
    config: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "x"}.items():
        monkeypatch.setenv(name, value)
    assert main(["verify-resume", *config]) == 2
    assert "verify-resume was started by torchrun, but it starts its ranks itself." in capsys.readouterr().err


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_with_deterministic_kernels(config: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["verify-resume", *config, "--trainer.accelerator", "gpu", "--devices", "1"]
    assert main([*words, "--trainer.deterministic", "true"]) == 0
    assert "to the last bit" in capsys.readouterr().out
