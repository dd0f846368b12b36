"""Bad images in whole runs: what is trained, counted, written and said, on one rank and on several."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from resnet_zoo.cli.main import main
from tests.data.damage import unreadable_files
from tests.ranks import run_on_ranks

CONFIG = """
trainer: {max_epochs: 3, accelerator: cpu, enable_progress_bar: false, log_every_n_steps: 1}
model:
  optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.05, momentum: 0.9, weight_decay: 1e-3}}
data:
  class_path: ImageFolder
  init_args: {image_size: 8, flip: false, num_workers: 0}
logger: none
"""
WITHOUT_NORM = ("--model.backbone", "tests.small_nets.convolutional", "--model.backbone.norm", "false")
WITH_NORM = ("--model.backbone", "tests.small_nets.convolutional")
PER_CLASS = 6


def _folder(root: Path) -> Path:
    """Two classes of images of one colour each, which every crop leaves as they are."""
    for number, split in enumerate(("train", "val")):
        for class_number in range(2):
            folder = root / split / f"class{class_number}"
            folder.mkdir(parents=True)
            for image in range(PER_CLASS):
                colour = (40 * image, 90 * class_number + 30, 60 * number + 20)
                Image.new("RGB", (12, 12), colour).save(folder / f"{image}.png")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return _folder(tmp_path / "images")


def _spoil(root: Path, split: str, count: int) -> list[Path]:
    """Damage some images of a split, each in another way."""
    chosen = [root / split / f"class{k % 2}" / f"{k}.png" for k in range(count)]
    for path, content in zip(chosen, unreadable_files().values(), strict=False):
        path.write_bytes(content)
    return chosen


def _words(root: Path, run: Path, *words: str, batch: int = 2 * PER_CLASS) -> list[str]:
    config = root.parent / "config.yaml"
    config.write_text(CONFIG)
    return [
        "--config", str(config), "--run_dir", str(run), "--data.root", str(root),
        "--data.global_batch_size", str(batch), *words,
    ]  # fmt: skip


def _weights(run: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return state


def _distance(first: dict[str, Tensor], second: dict[str, Tensor]) -> float:
    return max(float((first[key].double() - second[key].double()).abs().max()) for key in first)


def _result(run: Path, name: str = "validate.json") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / name).read_text())
    return content


@pytest.mark.parametrize(("world_size", "accumulation"), [(1, 1), (1, 3), (2, 2)])
def test_an_update_is_the_mean_over_the_images_that_there_are(
    root: Path, tmp_path: Path, world_size: int, accumulation: int
) -> None:
    bad = _spoil(root, "train", 2)
    split = ("--trainer.accumulate_grad_batches", str(accumulation))
    damaged = _words(root, tmp_path / "damaged", *WITHOUT_NORM, *split, "--data.bad_image_budget", "2")
    assert run_on_ranks(world_size, main, ["fit", *damaged]) == [0] * world_size
    for path in bad:
        path.unlink()
    # with as many images as an update has, all updates are over the same images
    assert main(["fit", *_words(root, tmp_path / "removed", *WITHOUT_NORM, batch=2 * PER_CLASS - 2)]) == 0
    assert _distance(_weights(tmp_path / "damaged"), _weights(tmp_path / "removed")) < 1e-6


def test_batch_norm_sees_no_blank_images(root: Path, tmp_path: Path) -> None:
    bad = _spoil(root, "train", 3)
    assert main(["fit", *_words(root, tmp_path / "a", *WITH_NORM, "--data.bad_image_budget", "3")]) == 0
    for path in bad:
        path.unlink()
    assert main(["fit", *_words(root, tmp_path / "b", *WITH_NORM, batch=2 * PER_CLASS - 3)]) == 0
    assert _distance(_weights(tmp_path / "a"), _weights(tmp_path / "b")) < 1e-5


def test_each_is_named_once_and_a_resumed_run_goes_on_counting(
    root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bad = _spoil(root, "train", 2)
    words = _words(root, tmp_path / "run", *WITHOUT_NORM, "--data.bad_image_budget", "2")
    assert main(["fit", *words]) == 0
    said = capfd.readouterr().err
    assert all(said.count(f"left out of training: '{path}'") == 1 for path in bad)
    assert "(2 of at most 2)" in said
    more = root / "train" / "class1" / "5.png"
    assert main(["fit", *words, "--resume", "auto", "--trainer.max_epochs", "4"]) == 0
    assert "left out of training" not in capfd.readouterr().err
    more.write_bytes(b"")
    resumed = [*words, "--resume", "auto", "--force_resume", "true", "--trainer.max_epochs", "6"]
    assert main(["fit", *resumed]) == 2
    said = capfd.readouterr().err
    assert "3 training images cannot be read and bad_image_budget=2" in said
    assert str(more) in said


def test_the_budget_is_over_all_ranks(root: Path, tmp_path: Path) -> None:
    _spoil(root, "train", 4)
    words = ["fit", *_words(root, tmp_path / "run", *WITHOUT_NORM, "--data.bad_image_budget", "3")]
    assert run_on_ranks(2, main, words) == [2, 2]


def test_without_a_budget_a_run_ends_and_names_the_file(
    root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (bad,) = _spoil(root, "train", 1)
    assert main(["fit", *_words(root, tmp_path / "run", *WITHOUT_NORM)]) == 2
    said = capfd.readouterr().err
    assert f"cannot read the image '{bad}': the file is empty." in said
    assert "resnet-zoo data check" in said


@pytest.fixture
def trained(root: Path, tmp_path: Path) -> list[str]:
    """Words that evaluate a trained net."""
    assert main(["fit", *_words(root, tmp_path / "trained", *WITHOUT_NORM)]) == 0
    return [*WITHOUT_NORM, "--ckpt_path", str(tmp_path / "trained" / "checkpoints" / "last.ckpt")]


def test_an_evaluation_says_over_how_many_images_it_is(
    root: Path, tmp_path: Path, trained: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    bad = _spoil(root, "val", 5)
    capfd.readouterr()
    results = []
    for world_size in (1, 2):
        run = tmp_path / f"run{world_size}"
        words = ["validate", *_words(root, run, *trained, "--data.eval_batch_size", "3")]
        assert run_on_ranks(world_size, main, words) == [0] * world_size
        results.append(_result(run))
        said = capfd.readouterr()
        assert all(said.err.count(f"not evaluated: '{path}' cannot be read") == 1 for path in bad)
        assert "the scores of 'val' are over 7 of 12 images" in said.err
        assert "7 of 12" in said.out
    for path in bad:
        path.unlink()
    assert main(["validate", *_words(root, tmp_path / "removed", *trained)]) == 0
    removed = _result(tmp_path / "removed")
    for result in results:
        assert (result["evaluated"], result["expected"]) == (7, 12)
        assert sorted(result["unreadable"]) == sorted(str(path.relative_to(root)) for path in bad)
        assert result["correct1"] == removed["correct1"]
        assert result["loss"] == pytest.approx(removed["loss"], rel=1e-6)


def test_views_are_averaged_over_what_can_be_read(root: Path, tmp_path: Path, trained: list[str]) -> None:
    _spoil(root, "val", 5)
    words = _words(root, tmp_path / "run", *trained, "--protocol", "ten_crop")
    assert main(["validate", *words]) == 0
    result = _result(tmp_path / "run")
    assert (result["evaluated"], result["expected"], len(result["unreadable"])) == (7, 12, 5)


def test_validation_in_training_goes_on(
    root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (bad,) = _spoil(root, "val", 1)
    assert main(["fit", *_words(root, tmp_path / "run", *WITHOUT_NORM)]) == 0
    said = capfd.readouterr().err
    assert said.count(f"not evaluated: '{bad}'") == 1
    assert said.count("the scores of 'val' are over 11 of 12 images") == 1
    assert _result(tmp_path / "run")["unreadable"] == ["val/class0/0.png"]


@pytest.mark.parametrize("world_size", [1, 2])
def test_a_prediction_has_a_row_that_says_so(
    root: Path, tmp_path: Path, trained: list[str], world_size: int
) -> None:
    _spoil(root, "val", 2)
    words = ["predict", *_words(root, tmp_path / "run", *trained)]
    assert run_on_ranks(world_size, main, words) == [0] * world_size
    with (tmp_path / "run" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [
        f"val/class{c}/{k}.png" for c in range(2) for k in range(PER_CLASS)
    ]
    for row in rows:
        is_bad = row["path"] in ("val/class0/0.png", "val/class1/1.png")
        assert row["remark"] == ("cannot be read" if is_bad else "")
        assert bool(row["class_1"]) != is_bad
        assert row["label"] == row["path"].split("/")[1]
