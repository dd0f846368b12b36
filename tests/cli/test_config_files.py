"""Configs keep the origin of every value, follow YAML 1.2 and merge without leftovers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resnet_zoo.cli.config_files import Config, merge, parse_scalar, read_config
from resnet_zoo.errors import InvalidValue


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("no", "no"),
        ("on", "on"),
        ("012", 12),
        ("12:30", "12:30"),
        ("true", True),
        ("null", None),
        ("0x1f", 31),
        (".inf", float("inf")),
        ("-3", -3),
        ("[1, 2.5]", [1, 2.5]),
        ("resnet50", "resnet50"),
        ("{unclosed", "{unclosed"),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: Any) -> None:
    assert parse_scalar(text) == value
    assert type(parse_scalar(text)) is type(value)


def test_every_key_remembers_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("# header\nmodel:\n  backbone: resnet50\n  optimizer:\n    class_path: torch.optim.SGD\n")
    config = read_config(path, shown_as="mine.yaml")
    assert str(config.origin_of(("model", "backbone"))) == "mine.yaml:3"
    assert str(config.origin_of(("model", "optimizer", "class_path"))) == "mine.yaml:5"
    assert str(config.origin_of(("model", "backbone", "init_args"))) == "mine.yaml:3"
    assert config.origin_of(("trainer",)) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", r"mine.yaml:3: key 'a' is already set on line 1"),
        ("model:\n  lr: 1\n  lr: 2\n", r"mine.yaml:3: key 'model.lr' is already set on line 2"),
        ("a: [1, 2\n", r"mine.yaml:2: not valid YAML"),
        ("- 1\n- 2\n", r"mine.yaml: a config is a mapping of keys to values, found list"),
        ("1: 2\n", r"mine.yaml:1: a key must be text, found '1'"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InvalidValue, match=message):
        read_config(path, shown_as="mine.yaml")


def test_an_empty_file_is_an_empty_config(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("# nothing\n")
    assert read_config(path) == Config()


def _config(tmp_path: Path, name: str, text: str) -> Config:
    path = tmp_path / name
    path.write_text(text)
    return read_config(path, shown_as=name)


def test_the_later_file_wins_key_by_key(tmp_path: Path) -> None:
    first = _config(tmp_path, "a.yaml", "trainer: {max_epochs: 1, precision: bf16-mixed}\n")
    second = _config(tmp_path, "b.yaml", "trainer:\n  max_epochs: 2\n")
    merged = merge(first, second)
    assert merged.values == {"trainer": {"max_epochs": 2, "precision": "bf16-mixed"}}
    assert str(merged.origin_of(("trainer", "max_epochs"))) == "b.yaml:2"
    assert str(merged.origin_of(("trainer", "precision"))) == "a.yaml:1"


def test_a_changed_class_drops_the_arguments_of_the_old_one(tmp_path: Path) -> None:
    first = _config(
        tmp_path, "a.yaml", "model: {backbone: {class_path: x.resnet20, init_args: {shortcut: B}}}\n"
    )
    second = _config(tmp_path, "b.yaml", "model: {backbone: {class_path: x.resnet34}}\n")
    merged = merge(first, second)
    assert merged.values == {"model": {"backbone": {"class_path": "x.resnet34"}}}
    assert not [path for path in merged.origins if "shortcut" in path]


def test_the_same_class_merges_its_arguments(tmp_path: Path) -> None:
    first = _config(
        tmp_path, "a.yaml", "data: {class_path: ImageNet, init_args: {root: a, num_workers: 4}}\n"
    )
    second = _config(tmp_path, "b.yaml", "data: {class_path: ImageNet, init_args: {root: b}}\n")
    assert merge(first, second).values["data"]["init_args"] == {"root": "b", "num_workers": 4}
