"""Another class leaves the arguments of the first behind, and a run says which of them it would have taken."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from resnet_zoo.cli.arguments import parse_arguments
from resnet_zoo.cli.launch import Launch
from resnet_zoo.cli.main import main
from resnet_zoo.cli.names import NAMED_KEYS
from resnet_zoo.cli.training_cli import TrainingCLI

FOLDER = ["--data", "ImageFolder", "--data.root", "images", "--data.global_batch_size", "64"]


def parsed(*words: str) -> TrainingCLI:
    return TrainingCLI("fit", parse_arguments(list(words), NAMED_KEYS), Launch("none"), construct=False)


def test_the_note_names_what_the_new_class_would_take_and_is_not_given() -> None:
    [note] = parsed("--config", "r20_cifar10_fast", *FOLDER).notes
    assert "r20_cifar10_fast.yaml:" in note
    assert "sets for CIFAR10 went when another class was named. To set it for ImageFolder: " in note
    assert "progressive_resizing" in note
    assert "global_batch_size" not in note, "the command line gives it"
    assert "root" not in note.partition("ImageFolder: ")[2]


def test_the_options_of_the_note_bring_the_settings_back() -> None:
    words = ["--config", "r20_cifar10_fast", *FOLDER]
    [note] = parsed(*words).notes
    again = parsed(*words, *shlex.split(note.partition("ImageFolder: ")[2]))
    assert again.notes == []
    resizing = again.config.data.init_args.progressive_resizing
    assert (resizing.start_size, resizing.start_epoch, resizing.end_epoch) == (24, 7, 8)


@pytest.mark.parametrize(
    ("words", "key", "brought_back"),
    [
        (["--model.optimizer", "AdamW"], "model.optimizer", {"--model.optimizer.lr=0.2"}),
        (["--model.lr_schedule", "CosineSchedule"], "model.lr_schedule", set()),
        (["--model.backbone", "plain20_cifar"], "model.backbone", set()),
    ],
)
def test_every_key_that_names_a_class_is_watched(words: list[str], key: str, brought_back: set[str]) -> None:
    notes = [note for note in parsed("--config", "r20_cifar10_fast", *words).notes if note.startswith(key)]
    assert all(word in notes[0] for word in brought_back)
    assert bool(notes) == bool(brought_back), "nothing that the other class would take"


def test_a_later_file_is_watched_and_a_file_on_its_base_is_not(tmp_path: Path) -> None:
    text = "data: {class_path: ImageFolder, init_args: {root: images, global_batch_size: 64}}\n"
    over, on_base = tmp_path / "over.yaml", tmp_path / "on_base.yaml"
    over.write_text(text)
    on_base.write_text(f"base: r20_cifar10_fast\n{text}")
    assert "progressive_resizing" in parsed("--config", "r20_cifar10_fast", "--config", str(over)).notes[0]
    assert parsed("--config", str(on_base)).notes == []


def test_the_same_class_and_the_same_values_are_no_news(tmp_path: Path) -> None:
    assert parsed("--config", "r20_cifar10_fast", "--data", "CIFAR10").notes == []
    defaults = tmp_path / "defaults.yaml"
    defaults.write_text("data: {class_path: CIFAR10, init_args: {root: images, drop_last: false}}\n")
    assert parsed("--config", str(defaults), "--model.backbone", "resnet20_cifar", *FOLDER).notes == []


def test_what_is_set_to_nothing_is_set(tmp_path: Path) -> None:
    without = tmp_path / "without.yaml"
    without.write_text(
        "data: {class_path: ImageFolder, init_args: {root: images, global_batch_size: 9, progressive_resizing: null}}\n"
    )
    assert parsed("--config", "r20_cifar10_fast", "--config", str(without)).notes == []


def test_explain_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", "Synthetic", "--data.global_batch_size", "64", "--data.image_size", "32"]
    assert main(["explain", "--config", "r20_cifar10_fast", *words]) == 0
    assert (
        "sets for CIFAR10 went when another class was named. To set it for Synthetic: "
        in capsys.readouterr().out
    )
