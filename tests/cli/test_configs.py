"""Shipped configs are found by name; every one parses and builds what it describes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from resnet_zoo.classifier import ImageClassifier
from resnet_zoo.cli.arguments import parse_arguments
from resnet_zoo.cli.building import build
from resnet_zoo.cli.configs import find_config, shipped_configs
from resnet_zoo.cli.launch import Launch
from resnet_zoo.cli.names import NAMED_KEYS
from resnet_zoo.cli.training_cli import TrainingCLI
from resnet_zoo.errors import MissingData, UnknownName
from resnet_zoo.optim import Position

EXPERIMENTS = [name for name in shipped_configs() if not name.startswith("hardware/")]
HARDWARE = [name for name in shipped_configs() if name.startswith("hardware/")]
SYNTHETIC = ["--data", "Synthetic", "--data.num_classes", "10"]


def _parse(*words: str) -> TrainingCLI:
    return TrainingCLI("fit", parse_arguments(list(words), NAMED_KEYS), Launch("none"), construct=False)


def test_a_shipped_config_is_found_by_its_bare_name() -> None:
    assert find_config("r20_cifar10") == shipped_configs()["r20_cifar10"]
    assert find_config("configs/r20_cifar10.yaml").name == "r20_cifar10.yaml"
    assert find_config("hardware/8gpu").parent.name == "hardware"


def test_a_user_s_file_wins_over_a_shipped_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("quickstart").write_text("trainer: {max_epochs: 1}\n")
    assert find_config("quickstart") == Path("quickstart")


def test_a_miss_lists_the_shipped_configs() -> None:
    with pytest.raises(
        UnknownName, match=r"Did you mean 'r20_cifar10'.*Shipped configs: .*hardware/8gpu.*r50_imagenet"
    ):
        find_config("r20_cifar1O")
    with pytest.raises(MissingData, match=r"--config nowhere/r20_cifar10.yaml: no such file"):
        find_config("nowhere/r20_cifar10.yaml")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_parses_and_builds_its_model_and_schedule(name: str) -> None:
    header = [line for line in shipped_configs()[name].read_text().splitlines() if line.startswith("#")]
    for part in ("# Paper: ", "# Run: ", "# Result: "):
        assert any(line.startswith(part) for line in header), f"{name} has no {part!r} in its header"
    as_shipped = _parse("--config", name)  # the data set's arguments are checked here, its folder is not
    assert as_shipped.config.data.class_path.startswith("resnet_zoo.data.")
    cli = _parse("--config", name, *SYNTHETIC)
    with torch.device("meta"):
        model = build(cli.parser, cli.config).model
    assert isinstance(model, ImageClassifier)
    schedule, trainer = model.lr_schedule, as_shipped.config.trainer
    total = trainer.max_steps if trainer.max_steps > 0 else trainer.max_epochs * 100
    factors = [schedule.factor(Position(step, 100, total)) for step in range(0, total, max(1, total // 50))]
    assert all(0 <= factor <= 1 for factor in factors)
    assert factors[-1] < max(factors) / 5, "every shipped recipe lowers its rate at the end"


@pytest.mark.parametrize("name", HARDWARE)
def test_hardware_configs_hold_trainer_keys_only(name: str) -> None:
    assert parse_arguments(["--config", name], {}).config.values.keys() == {"trainer"}
    assert _parse("--config", "quickstart", "--config", name).config.trainer.devices


def test_a_resolved_config_parses_to_itself(tmp_path: Path) -> None:
    first = _parse("--config", "r110_cifar10", "--model.backbone.shortcut", "B", "--trainer.max_steps", "7")
    path = tmp_path / "config.yaml"
    path.write_text(first.resolved_config())
    second = _parse("--config", str(path))
    assert second.resolved_config() == first.resolved_config()
    assert "class_path: resnet110_cifar" in path.read_text()


def test_the_command_line_wins_over_the_config() -> None:
    cli = _parse("--trainer.max_steps", "5", "--config", "r20_cifar10", "--model.optimizer.lr", "0.5")
    assert cli.config.trainer.max_steps == 5
    assert cli.config.model.optimizer.init_args.lr == 0.5
    assert cli.config.model.optimizer.init_args.momentum == 0.9
