"""The scripts that measure for long, or on a GPU, run on a CPU and in a tiny form; their numbers mean nothing there."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from resnet_zoo.cli.arguments import parse_arguments
from resnet_zoo.cli.launch import Launch
from resnet_zoo.cli.names import NAMED_KEYS
from resnet_zoo.cli.training_cli import TrainingCLI

pytestmark = pytest.mark.slow


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two classes of noise, of which each has eight images to train with and four to test with."""
    generator = np.random.default_rng(0)
    for split, count in (("train", 8), ("test", 4)):
        for name in ("cat", "dog"):
            folder = tmp_path / "images" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "images"


@pytest.fixture
def run(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a script's ``main`` with some words, and returns the records that it has written."""
    monkeypatch.syspath_prepend(project / "benchmarks")

    def start(name: str, *words: str, **changes: Any) -> list[dict[str, Any]]:
        script = importlib.import_module(name)
        for key, value in {"RESULT": tmp_path / "result.json", **changes}.items():
            monkeypatch.setattr(script, key, value)
        monkeypatch.setattr(sys, "argv", [name, *words, "--device", "cpu", "--write"])
        script.main()
        records: list[dict[str, Any]] = json.loads((tmp_path / "result.json").read_text())
        return records

    return start


def test_the_epochs_of_both_are_timed(run: Any, images: Path) -> None:
    words = ("--root", str(images), "--epochs", "2", "--batch-size", "8")
    [record] = run("epoch_cifar10", *words, WORKERS=0)
    assert len(record["ours"]["seconds"]) == len(record["usual"]["seconds"]) == 2
    assert record["ours"]["train_images"] == 16
    assert record["usual"]["updates"] == 2
    assert record["minutes_of_200_epochs"] > 0
    assert record["times_longer"] > 0
    assert record["share_in_kernels"] is None, "a CPU has no kernels"
    assert {"date", "device", "torch"} <= record["machine"].keys()


def test_a_recipe_is_trained_and_scored(run: Any, images: Path) -> None:
    small = ("--data.pipeline", "cifar", "--data.global_batch_size", "4", "--data.val_fraction", "0.25")
    words = ("--cifar10", str(images), "--recipe", "r20_cifar10", "--epochs", "2")
    [record] = run("recipes", *words, RECIPES={"r20_cifar10": ("cifar10", small)})
    assert (record["epochs"], record["last"]["split"], record["last"]["evaluated"]) == (2, "test", 8)
    assert record["best"]["evaluated"] == 8
    assert record["seconds_of_an_epoch"] > 0


def test_a_recipe_keeps_what_it_sets_for_its_own_data(run: Any) -> None:
    """Here images grow; the words are those that ``fit`` gets."""
    recipes = importlib.import_module("recipes")
    words = ["--config", "r50_imagenet_fast_18", "--data", "ImageFolder", "--data.root", "somewhere"]
    words += [*recipes.of_the_data("r50_imagenet_fast_18"), *recipes.IMAGENETTE]
    cli = TrainingCLI("fit", parse_arguments(words, NAMED_KEYS), Launch("none"), construct=False)
    sizes = cli.config.data.init_args.progressive_resizing
    assert (sizes.start_size, sizes.end_size, sizes.start_epoch, sizes.end_epoch) == (160, 192, 13, 15)
    assert cli.notes == []


def test_both_race(project: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(project / "benchmarks")
    race = importlib.import_module("race_cifar10")
    for name, value in {
        "RESULTS": tmp_path / "race.json",
        "BATCH": 8,
        "TRAIN_IMAGES": 16,
        "TRIES": 1,
    }.items():
        monkeypatch.setattr(race, name, value)
    monkeypatch.setattr(sys, "argv", ["race", "--root", str(images), "--minutes", "0.02", "--seed", "3"])
    race.main()
    usual, ours = json.loads((tmp_path / "race.json").read_text())
    assert (usual["contestant"], ours["contestant"]) == ("usual", "ours")
    assert min(usual["updates"], ours["updates"]) > 0
    assert ours["planned_updates"] > 2 * 2, "of which the first epochs are on small images"
    assert {"date", "processor", "torch", "load_before"} <= ours.keys() & usual.keys()


def test_an_update_is_timed_in_every_way(run: Any) -> None:
    record: Any = run("optimizer_update", "--rounds", "2", NETS={"resnet20_cifar": 1})
    [ways] = record["nets"].values()
    assert set(ways) == {"parameter by parameter", "foreach", "fused"}
    assert all(way["seconds"]["median"] > 0 and way["difference"] < 1e-6 for way in ways.values())


def test_a_recipe_without_images_is_refused(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("recipes", "--recipe", "r20_cifar10")
    assert "where are the images of r20_cifar10? Give --cifar10 FOLDER." in capsys.readouterr().err
