"""Shipped configs are found by name; every one parses and builds what it describes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from resnet_zoo import list_backbones
from resnet_zoo.cli.arguments import parse_arguments
from resnet_zoo.cli.configs import find_config, shipped_configs
from resnet_zoo.cli.launch import Launch
from resnet_zoo.cli.main import main
from resnet_zoo.cli.names import NAMED_KEYS
from resnet_zoo.cli.training_cli import TrainingCLI
from resnet_zoo.errors import MissingData, UnknownName

EXPERIMENTS = [name for name in shipped_configs() if not name.startswith("hardware/")]
HARDWARE = [name for name in shipped_configs() if name.startswith("hardware/")]
VARIANTS = {
    name
    for name in EXPERIMENTS
    if re.search(r"cifar10_30_epochs/(?!resnet20)|_fast_(18|24|32|40)$|r1202|r101|r152|vgg16_imagenet", name)
}
"""Those that differ from another one by a number or a net, and those that take seconds to build."""
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


def test_a_miss_suggests_the_nearest_or_lists_the_shipped_configs() -> None:
    with pytest.raises(
        UnknownName, match=r"Did you mean 'r20_cifar10'.*docs/recipes.md has a table of all\.$"
    ):
        find_config("r20_cifar1O")
    with pytest.raises(UnknownName, match=r"Shipped configs: .*hardware/8gpu.*r50_imagenet"):
        find_config("unlike")
    with pytest.raises(MissingData, match=r"--config nowhere/r20_cifar10.yaml: no such file"):
        find_config("nowhere/r20_cifar10.yaml")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_says_where_it_comes_from(name: str) -> None:
    header = [line for line in shipped_configs()[name].read_text().splitlines() if line.startswith("#")]
    for part in ("# Paper: ", "# Run: ", "# Result: "):
        assert any(line.startswith(part) for line in header), f"{name} has no {part!r} in its header"
    run = next(line for line in header if line.startswith("# Run: "))
    assert f"--config {name} " in f"{run} ", f"{name} is run by its own name"


def test_every_net_for_cifar_has_thirty_epochs() -> None:
    nets = {name for name in list_backbones("*_cifar") if re.search(r"\d_cifar$", name)}
    assert {f"cifar10_30_epochs/{net}" for net in nets} <= set(EXPERIMENTS)


def test_the_result_of_the_fast_recipe_is_that_of_the_race() -> None:
    path = shipped_configs()["r20_cifar10_fast"]
    head = " ".join(line.lstrip("# ") for line in path.read_text().splitlines() if line.startswith("#"))
    said = re.findall(r"\b\d\d\.\d\d\b", head.split("Result:")[1])
    records = json.loads((path.parent.parent / "benchmarks/results/race_cifar10.json").read_text())
    raced = [record for record in records if (record["contestant"], record["clock"]) == ("ours", "wall")]
    raced.sort(key=lambda record: (-record["minutes"], record["seed"]))
    assert said == [f"{record['top1']:.2f}" for record in raced]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in VARIANTS else []) for name in EXPERIMENTS]
)
def test_every_experiment_is_built_and_explained(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As its head says to run it, where its data is not, at the size that the data set is known to have."""
    if "_rsb_" in name:
        pytest.importorskip("timm", reason="its optimizer needs timm: pip install 'resnet-zoo[timm]'")
    words = shipped_configs()[name].read_text().split("resnet-zoo fit ")[1].splitlines()[0].split()
    if name == "image_folder":
        words = ["--config", name, *SYNTHETIC, "--data.global_batch_size", "128"]
    elif name != "quickstart":
        words += ["--data.root", "nowhere"]
    assert main(["explain", *words]) == 0
    text = capsys.readouterr().out
    for part in ("global batch ", " updates an epoch", "warm-up of ", "decayed: "):
        assert part in text
    table = text.split("epoch  learning rate\n")[1].split("\n\n")[0].splitlines()
    rates = [float(line.split()[1]) for line in table if line.split()[0].isdecimal()]
    assert len(rates) >= 5
    assert 0 <= rates[-1] < max(rates) / 5, "every shipped recipe lowers its rate at the end"


@pytest.mark.parametrize("name", HARDWARE)
def test_hardware_configs_hold_nothing_of_the_experiment(name: str) -> None:
    assert parse_arguments(["--config", name], {}).config.values.keys() <= {"trainer", "precision", "ddp"}
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


def test_one_batch_is_not_the_whole_share_of_one(tmp_path: Path) -> None:
    (tmp_path / "few.yaml").write_text("trainer: {limit_val_batches: 1, limit_test_batches: 1.0}\n")
    words = ["--trainer.limit_train_batches", "1", "--trainer.overfit_batches=0.5"]
    trainer = _parse("--config", "quickstart", "--config", str(tmp_path / "few.yaml"), *words).config.trainer
    limits = [trainer.limit_train_batches, trainer.limit_val_batches, trainer.limit_test_batches]
    assert [(type(limit), limit) for limit in limits] == [(int, 1), (int, 1), (float, 1.0)]
    assert trainer.overfit_batches == 0.5


def test_one_batch_reaches_the_trainer() -> None:
    words = ["--config", "quickstart", "--trainer.limit_val_batches", "1", "--trainer.accelerator", "cpu"]
    trainer = TrainingCLI("fit", parse_arguments(words, NAMED_KEYS), Launch("none")).trainer
    assert type(trainer.limit_val_batches) is int
    assert trainer.limit_train_batches == 1.0  # all of them
