"""A run with a moving average: what it writes, which weights a command takes, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from resnet_zoo.cli.main import main

CONFIG = """
trainer: {max_epochs: 3, accelerator: cpu, enable_progress_bar: false}
model:
  backbone: {class_path: tests.small_nets.convolutional}
  optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.1, momentum: 0.9}}
data:
  class_path: Synthetic
  init_args: {image_size: 8, num_train: 96, num_val: 103, num_test: 57, global_batch_size: 16}
logger: none
"""
EMA = ("--ema.decay", "0.8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("ema")
    (made / "small.yaml").write_text(CONFIG)
    return made


def fit(folder: Path, name: str, *words: str) -> Path:
    run = folder / name
    assert main(["fit", "--config", str(folder / "small.yaml"), "--run_dir", str(run), *words]) == 0
    return run


@pytest.fixture(scope="module")
def averaged(folder: Path) -> Path:
    """A run that is judged by its average."""
    return fit(folder, "averaged", *EMA, "--checkpoint.monitor", "val/ema_loss")


@pytest.fixture(scope="module")
def plain(folder: Path) -> Path:
    return fit(folder, "plain", "--trainer.max_epochs", "1")


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def validations(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["val/loss"]]


def evaluate(command: str, checkpoint: Path, out: Path, *words: str) -> Any:
    assert main([command, "--ckpt_path", str(checkpoint), "--run_dir", str(out), *words]) == 0
    return read(out / ("validate.json" if command == "validate" else "test.json"))


def test_a_fit_scores_both_and_says_which_is_which(averaged: Path) -> None:
    judged, other = read(averaged / "test.json"), read(averaged / "test_raw.json")
    assert (judged["weights"], other["weights"]) == ("ema", "raw")
    assert judged["evaluated"] == other["evaluated"] == 57
    assert judged["loss"] != other["loss"]
    with (averaged / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    tested = {
        name: [float(row[name]) for row in rows if row[name]] for name in ("test/loss", "test/ema_loss")
    }
    assert tested == {"test/loss": [other["loss"]], "test/ema_loss": [judged["loss"]]}


@pytest.mark.parametrize(("words", "weights", "prefix"), [
    ((), "ema", "ema_"), (("--weights", "ema"), "ema", "ema_"), (("--weights", "raw"), "raw", ""),
])  # fmt: skip
def test_best_is_the_monitored_average_s_and_validates_again_to_the_digit(
    averaged: Path, tmp_path: Path, words: tuple[str, ...], weights: str, prefix: str
) -> None:
    logged = min(validations(averaged), key=lambda row: float(row["val/ema_loss"]))
    result = evaluate("validate", averaged / "checkpoints" / "best.ckpt", tmp_path / "v", *words)
    assert result["weights"] == weights
    assert result["loss"] == float(logged[f"val/{prefix}loss"])
    assert result["top1"] == float(logged[f"val/{prefix}top1"])


def test_a_run_judged_by_its_raw_weights_is_evaluated_with_them(folder: Path, tmp_path: Path) -> None:
    run = fit(folder, "raw", *EMA, "--trainer.max_epochs", "1")
    assert read(run / "test.json")["weights"] == "raw"
    assert read(run / "test_ema.json")["weights"] == "ema"
    result = evaluate("test", run / "checkpoints" / "last.ckpt", tmp_path / "t")
    assert (result["weights"], result["loss"]) == ("raw", read(run / "test.json")["loss"])


def test_averages_of_several_checkpoints_make_an_ensemble(
    averaged: Path, plain: Path, tmp_path: Path
) -> None:
    files = [averaged / "checkpoints" / f"{name}.ckpt" for name in ("best", "previous")]
    more = ["--ckpt_path", str(files[1])]
    assert evaluate("test", files[0], tmp_path / "both", *more)["weights"] == "ema"
    mixed = ["--ckpt_path", str(plain / "checkpoints" / "last.ckpt"), "--run_dir", str(tmp_path / "mixed")]
    assert main(["test", "--ckpt_path", str(files[0]), *mixed]) == 2
    assert evaluate("test", files[0], tmp_path / "raw", *mixed[:2], "--weights", "raw")["weights"] == "raw"


@pytest.mark.parametrize("weights", ["raw", "ema"])
def test_every_command_takes_the_weights_that_are_named(averaged: Path, tmp_path: Path, weights: str) -> None:
    best = averaged / "checkpoints" / "best.ckpt"
    content = torch.load(best, weights_only=True)
    expected = content["state_dict"] if weights == "raw" else content["ema"]["state_dict"]
    words = ["--format", "pt2", "--backbone", "tests.small_nets.convolutional", "--weights", weights]
    assert main(["export", str(best), *words, "--output", str(tmp_path / "net.pt2")]) == 0
    extra = {"resnet_zoo.json": ""}
    program = torch.export.load(tmp_path / "net.pt2", extra_files=extra)
    assert json.loads(extra["resnet_zoo.json"])["checkpoint"]["weights"] == weights
    assert torch.equal(program.state_dict["head.weight"], expected["head.weight"])

    found = evaluate("test", best, tmp_path / "t", "--weights", weights)
    assert (
        main(["predict", "--ckpt_path", str(best), "--run_dir", str(tmp_path / "p"), "--weights", weights])
        == 0
    )
    with (tmp_path / "p" / "predictions.csv").open() as file:
        assert sum(row["label"] == row["class_1"] for row in csv.DictReader(file)) == found["correct1"]


def test_a_net_is_deepened_and_analysed_with_the_weights_that_are_named(folder: Path, tmp_path: Path) -> None:
    net = ("--model.backbone", "plain_cifar", "--model.backbone.depth", "8", "--model.backbone.width", "4")
    last = fit(folder, "shallow", *EMA, *net, "--trainer.max_epochs", "1") / "checkpoints" / "last.ckpt"
    content = torch.load(last, weights_only=True)
    states = {"raw": content["state_dict"], "ema": content["ema"]["state_dict"]}
    tables = []
    for weights, state in states.items():
        deep, table = tmp_path / f"{weights}.ckpt", tmp_path / f"{weights}.csv"
        words = ["--to", "plain_cifar", "--depth", "14", "--out", str(deep), "--weights", weights]
        assert main(["deepen", str(last), *words]) == 0
        written = torch.load(deep, weights_only=True)["state_dict"]
        assert torch.equal(written["head.weight"], state["head.weight"])
        words = ["--num-images", "20", "--csv", str(table), "--weights", weights]
        assert main(["analyze", "responses", str(last), *words]) == 0
        tables.append(table.read_text())
    assert tables[0] != tables[1]


REFUSALS = {
    "lost": "the checkpoint has averaged weights, and ema.decay is not set now, so they would be lost",
    "late": "the checkpoint has no averaged weights, and ema.decay is set now, so they would begin late",
}


@pytest.mark.parametrize("what", ["lost", "late"])
def test_resuming_without_the_average_or_with_a_new_one_is_refused_unless_forced(
    what: str, averaged: Path, plain: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, ema = (averaged, ()) if what == "lost" else (plain, EMA)
    words = ["--ckpt_path", str(source / "checkpoints" / "last.ckpt"), "--trainer.max_epochs", "4", *ema]
    refused = ["fit", "--config", str(folder / "small.yaml"), "--run_dir", str(tmp_path / "no"), *words]
    assert main(refused) == 2
    assert REFUSALS[what] in capsys.readouterr().err
    run = fit(folder, f"forced-{what}", *words, "--force_resume", "true")
    saved = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert ("ema" in saved) == (what == "late")
    assert {row["val/loss"] for row in validations(run)}


def test_what_makes_no_sense_is_refused_before_any_work(
    plain: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = ["--ckpt_path", str(plain / "checkpoints" / "last.ckpt")]
    start = ["fit", "--config", str(folder / "small.yaml")]
    exported = ["export", str(plain / "checkpoints" / "last.ckpt"), "--format", "pt2", "--weights", "ema"]
    refusals = [
        (["test", *last, "--weights", "ema"], "holds no averaged weights: the run that wrote it kept none"),
        (exported, "holds no averaged weights: the run that wrote it kept none"),
        ([*start, "--checkpoint.monitor", "val/ema_top1"], "is val/ema_top1, but there is no moving average"),
        ([*start, "--ema.warm_up", "true"], "ema.warm_up has no effect without ema.decay"),
    ]  # fmt: skip
    for number, (words, message) in enumerate(refusals):
        run_dir = [] if words[0] == "export" else ["--run_dir", str(tmp_path / str(number))]
        assert main([*words, *run_dir]) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / str(number)).exists()


def test_explain_says_how_far_the_average_reaches(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--config", str(folder / "small.yaml"), "--ema.decay", "0.95"]) == 0
    output = capsys.readouterr().out
    assert "decay 0.95 at every update; it reaches back over about 20 updates (3.3 epochs)" in output
    assert "at the end of this training 42 % of the average are the weights it began with" in output
