"""A config may build on another."""

from __future__ import annotations

from pathlib import Path

import pytest

from resnet_zoo.cli.arguments import parse_arguments
from resnet_zoo.cli.config_files import Config, Origin
from resnet_zoo.cli.names import NAMED_KEYS
from resnet_zoo.errors import InvalidValue, UnknownName


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("first.yaml").write_text(
        "trainer: {max_epochs: 16}\n"
        "model:\n"
        "  backbone: {class_path: resnet18, init_args: {shortcut: C}}\n"
        "  lr_schedule: {class_path: CosineSchedule, init_args: {warmup_epochs: 2}}\n"
    )
    return tmp_path


def parse(*words: str) -> Config:
    return parse_arguments(list(words), NAMED_KEYS).config


def test_what_differs_is_laid_over_the_base() -> None:
    Path("second.yaml").write_text("base: first\ntrainer: {max_epochs: 88}\n")
    Path("third.yaml").write_text(
        "base: second.yaml\nmodel: {lr_schedule: {init_args: {warmup_epochs: 5}}}\n"
    )
    config = parse("--config", "third.yaml")
    assert config.values["trainer"] == {"max_epochs": 88}
    assert config.values["model"]["lr_schedule"]["init_args"] == {"warmup_epochs": 5}
    assert config.values["model"]["backbone"]["init_args"] == {"shortcut": "C"}
    assert "base" not in config.values
    assert config.origins["trainer", "max_epochs"] == Origin("second.yaml", 2)
    assert config.origins["model", "backbone", "class_path"] == Origin("first.yaml", 3)


def test_another_class_drops_the_arguments_of_the_base_s() -> None:
    Path("second.yaml").write_text("base: first\nmodel: {backbone: resnet34}\n")
    backbone = parse("--config", "second.yaml").values["model"]["backbone"]
    assert backbone == {"class_path": "resnet_zoo.backbones.resnet34"}


def test_a_base_is_looked_for_beside_the_file_and_then_among_the_shipped(folder: Path) -> None:
    (folder / "below").mkdir()
    Path("below/second.yaml").write_text("base: ../first.yaml\n")
    assert parse("--config", "below/second.yaml").values["trainer"] == {"max_epochs": 16}
    Path("own.yaml").write_text("base: quickstart\ntrainer: {max_epochs: 1}\n")
    config = parse("--config", "own.yaml")
    assert config.values["trainer"]["max_epochs"] == 1
    assert config.values["data"]["class_path"] == "resnet_zoo.data.Digits"


def test_several_configs_each_bring_their_bases() -> None:
    Path("second.yaml").write_text("base: first\ntrainer: {max_epochs: 88}\n")
    arguments = parse_arguments(["--config", "second.yaml", "--config", "hardware/cpu"], NAMED_KEYS)
    assert arguments.config.values["trainer"] == {"max_epochs": 88, "accelerator": "cpu", "devices": 1}
    assert arguments.config_names == ["second", "cpu"]


def test_mistakes_name_the_line() -> None:
    Path("second.yaml").write_text("# two\nbase: quickstarts\n")
    with pytest.raises(
        UnknownName, match=r"^second.yaml:2: no config named 'quickstarts'. Did you mean 'quickstart'"
    ):
        parse("--config", "second.yaml")
    Path("second.yaml").write_text("base: [first, third]\n")
    with pytest.raises(InvalidValue, match=r"^second.yaml:1: 'base' is the name or the path of one config"):
        parse("--config", "second.yaml")
    Path("second.yaml").write_text("base: third\n")
    Path("third.yaml").write_text("base: second\n")
    with pytest.raises(InvalidValue, match=r"in a circle: second.yaml -> third.yaml -> second.yaml"):
        parse("--config", "second.yaml")
    Path("second.yaml").write_text("base: first\nmodel: {backbone: resnet1}\n")
    with pytest.raises(UnknownName, match=r"^second.yaml:2: no backbone named 'resnet1'"):
        parse("--config", "second.yaml")
