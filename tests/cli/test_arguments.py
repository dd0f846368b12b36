"""The command line becomes one merged config and options that override it."""

from __future__ import annotations

from pathlib import Path

import pytest

from resnet_zoo.cli.arguments import Arguments, parse_arguments
from resnet_zoo.cli.names import NAMED_KEYS
from resnet_zoo.errors import UnknownName


def _resolve(name: str) -> str:
    if name not in ("resnet20", "resnet34"):
        raise UnknownName(f"no backbone named {name!r}.")
    return f"nets.{name}"


def _parse(*words: str) -> Arguments:
    return parse_arguments(list(words), {"model.backbone": _resolve})


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("mine.yaml")
    path.write_text("model:\n  backbone: {class_path: resnet20, init_args: {shortcut: B}}\n")
    return path


def test_values_are_joined_to_their_keys() -> None:
    arguments = _parse("--trainer.max_epochs", "3", "--data.seed=-1", "--x", "-0.5", "--flag")
    assert arguments.options == ["--trainer.max_epochs=3", "--data.seed=-1", "--x=-0.5", "--flag"]
    assert arguments.option("trainer.max_epochs") == "3"
    assert arguments.option("trainer.max_epoch") is None


def test_short_names_are_resolved_in_files_and_options(config: Path) -> None:
    assert _parse("--config", str(config)).get("model.backbone.class_path") == "nets.resnet20"
    assert _parse("--model.backbone", "resnet34").options == ["--model.backbone=nets.resnet34"]
    assert _parse("--model.backbone.class_path=resnet34").options == ["--model.backbone=nets.resnet34"]


def test_a_bare_string_in_a_file_is_a_name(config: Path) -> None:
    config.write_text("model: {backbone: resnet34}\n")
    assert _parse("-c", str(config)).config.values == {"model": {"backbone": {"class_path": "nets.resnet34"}}}


def test_an_option_that_changes_the_class_drops_the_config_s_arguments(config: Path) -> None:
    changed = _parse("--config", str(config), "--model.backbone", "resnet34")
    assert changed.config.values["model"]["backbone"] == {"class_path": "nets.resnet34"}
    same = _parse("--config", str(config), "--model.backbone", "resnet20")
    assert same.config.values["model"]["backbone"]["init_args"] == {"shortcut": "B"}


def test_an_unknown_name_in_a_file_is_told_with_its_line(config: Path) -> None:
    config.write_text("# one\nmodel:\n  backbone: resnet2O\n")
    with pytest.raises(UnknownName, match=r"^mine.yaml:3: no backbone named 'resnet2O'"):
        _parse("--config", str(config))


def test_the_merged_config_stands_before_the_options(config: Path) -> None:
    words = _parse("--trainer.max_epochs", "3", "--config", str(config)).words()
    assert words[0] == "--config"
    assert words[2:] == ["--trainer.max_epochs=3"]


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("SGD", {"class_path": "torch.optim.SGD"}),
        # As a run without an optimizer of its own writes it into its config.yaml, which must be read again.
        ("resnet_zoo.classifier.default_optimizer", "resnet_zoo.classifier.default_optimizer"),
    ],
)
def test_an_optimizer_may_be_a_class_or_a_function(given: str, understood: object, config: Path) -> None:
    config.write_text(f"model: {{optimizer: {given}}}\n")
    arguments = parse_arguments(["--config", str(config)], NAMED_KEYS)
    assert arguments.config.values["model"]["optimizer"] == understood
