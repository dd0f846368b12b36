"""The training commands from end to end, in one process, on the embedded digits."""

from __future__ import annotations

import csv
import importlib.metadata
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from resnet_zoo import create_model
from resnet_zoo.cli.main import main

SMALL = [
    "--config", "quickstart", "--logger", "none", "--trainer.max_epochs", "2", "--model.backbone.width", "4",
    "--data.val_size", "200", "--trainer.log_every_n_steps", "5",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two epochs."""
    directory = tmp_path_factory.mktemp("training") / "run"
    assert main(["fit", *SMALL, "--run_dir", str(directory)]) == 0
    return directory


def _rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_a_run_directory_owns_everything_of_a_run(run: Path) -> None:
    names = {path.name for path in run.iterdir()}
    assert {"config.yaml", "record.json", "metrics.csv", "test.json", "checkpoints"} <= names
    assert {path.name for path in (run / "checkpoints").glob("*.ckpt")} >= {"last.ckpt", "best.ckpt"}


def test_the_result_says_what_it_counted(run: Path) -> None:
    result = _json(run / "test.json")
    assert result["split"] == "test"
    assert result["evaluated"] == result["expected"] == 359
    assert result["duplicates"] == 0
    assert result["unreadable"] == []
    assert result["world_size"] == 1
    assert result["top1"] == pytest.approx(100 * result["correct1"] / 359)
    assert result["checkpoint"].endswith("best.ckpt")
    assert result["weights"] == "raw"


def test_the_metrics_have_the_promised_names_and_learn(run: Path) -> None:
    rows = _rows(run)
    assert {"step", "epoch", "train/loss", "train/top1", "train/top5", "val/loss", "val/top1", "val/top5", "lr",
            "speed/images_per_second"} <= set(rows[0])  # fmt: skip
    losses = [float(row["train/loss"]) for row in rows if row["train/loss"]]
    assert losses[-1] < losses[0]


def test_the_record_tells_where_the_number_came_from(run: Path) -> None:
    record = _json(run / "record.json")
    assert record["backbone"]["name"] == "resnet20_cifar"
    assert record["backbone"]["arguments"]["width"] == 4
    assert record["versions"]["torch"] == importlib.metadata.version("torch")
    assert record["batch"] == {"global": 64, "per_rank": 64}
    assert record["data"]


def test_checkpoints_hold_plain_types_and_clean_keys(run: Path) -> None:
    checkpoint = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert all(key.startswith(("backbone.", "head.")) for key in checkpoint["state_dict"])
    built_by = checkpoint["resnet_zoo"]["backbone"]
    rebuilt = create_model(built_by["name"], num_classes=10, **built_by["arguments"])
    rebuilt.load_state_dict(checkpoint["state_dict"])


def test_the_best_checkpoint_validates_to_the_logged_number(run: Path, tmp_path: Path) -> None:
    best = max(float(row["val/top1"]) for row in _rows(run) if row["val/top1"])
    again = tmp_path / "again"
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    words = [
        "validate",
        "--config",
        str(run / "config.yaml"),
        "--ckpt_path",
        checkpoint,
        "--run_dir",
        str(again),
    ]
    assert main([*words, "--data.eval_batch_size", "7"]) == 0
    assert _json(again / "validate.json")["top1"] == pytest.approx(best, abs=1e-9)


def test_the_saved_config_runs_again_to_the_same_weights(run: Path, tmp_path: Path) -> None:
    assert main(["fit", "--config", str(run / "config.yaml"), "--run_dir", str(tmp_path / "twin")]) == 0
    first = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    second = torch.load(tmp_path / "twin" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(first[key], second[key]) for key in first)
    elsewhere = {"checkpoint": "", "checkpoints": []}
    assert _json(run / "test.json") | elsewhere == _json(tmp_path / "twin" / "test.json") | elsewhere


def test_the_command_line_wins_over_the_checkpoint(run: Path, tmp_path: Path) -> None:
    words = [
        "fit",
        *SMALL,
        "--trainer.max_epochs",
        "3",
        "--ckpt_path",
        str(run / "checkpoints" / "last.ckpt"),
    ]
    assert main([*words, "--run_dir", str(tmp_path / "on"), "--model.optimizer.lr", "0.001",
                 "--model.lr_schedule", "ConstantSchedule"]) == 0  # fmt: skip
    rates = {float(row["lr"]) for row in _rows(tmp_path / "on") if row["lr"]}
    assert rates == {0.001}
    assert (
        yaml.safe_load((tmp_path / "on" / "config.yaml").read_text())["model"]["optimizer"]["init_args"]["lr"]
        == 0.001
    )


def test_a_second_run_never_touches_the_first(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    assert main(["fit", *SMALL, "--run_dir", str(run)]) == 2
    assert "already holds a run" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_predictions_are_one_row_an_image_in_order(run: Path, tmp_path: Path) -> None:
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    assert (
        main(
            [
                "predict",
                "--ckpt_path",
                checkpoint,
                "--run_dir",
                str(tmp_path / "p"),
                "--data.eval_batch_size",
                "50",
            ]
        )
        == 0
    )
    with (tmp_path / "p" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 359
    right = sum(row["label"] == row["class_1"] for row in rows)
    assert right == _json(run / "test.json")["correct1"]
    assert all(float(row["probability_1"]) >= float(row["probability_5"]) for row in rows)


def test_runs_are_numbered_by_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["fit", *SMALL, "--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1"]) == 0
    assert (tmp_path / "runs" / "quickstart" / "1" / "test.json").exists()
    assert (tmp_path / "runs" / "quickstart" / "2" / "test.json").exists()


def test_evaluations_are_numbered_in_the_run_whose_checkpoint_they_are_of(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (run / "test.json").read_text(), (run / "config.yaml").read_text()
    monkeypatch.chdir(run.parent)
    for number, named in enumerate(
        (["best", "--run_dir", run.name], [f"{run.name}/checkpoints/best.ckpt"]), 1
    ):
        capsys.readouterr()
        assert main(["test", "--logger", "none", "--ckpt_path", *named]) == 0
        assert f"{run.name}/test/{number}/test.json" in capsys.readouterr().out
        assert _json(run / "test" / str(number) / "test.json")["top1"] == json.loads(before[0])["top1"]
    assert ((run / "test.json").read_text(), (run / "config.yaml").read_text()) == before

    # Weights that lie in no run are of nobody; trainings of the config are numbered apart, and continued by number.
    copy = tmp_path / "best.ckpt"
    copy.write_bytes((run / "checkpoints" / "best.ckpt").read_bytes())
    monkeypatch.chdir(tmp_path)
    assert main(["validate", "--config", str(run / "config.yaml"), "--ckpt_path", "best.ckpt"]) == 0
    assert [str(path.parent) for path in Path().rglob("validate.json")] == ["runs/validate/1"]


def test_an_interrupted_evaluation_is_begun_again_in_its_own_directory_alone(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = run / "checkpoints" / "best.ckpt"
    for words in (["best", "--run_dir", str(run)], [str(best)]):
        assert main(["validate", "--ckpt_path", *words, "--resume", "auto"]) == 2
        assert "begins an interrupted evaluation again in its --run_dir" in capsys.readouterr().err
    words = ["validate", "--ckpt_path", str(best), "--run_dir", str(tmp_path / "mine"), "--logger", "none"]
    assert main(words) == 0
    (tmp_path / "mine" / "validate.json").unlink()
    assert main(words) == 2, "a directory in use is refused"
    assert main([*words, "--resume", "auto"]) == 0
    assert (tmp_path / "mine" / "validate.json").is_file()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--trainer.max_epochs 0", "trainer.max_epochs=0 trains nothing"),
        ("--trainer.max_steps 0", "trainer.max_steps=0 trains nothing"),
        ("--trainer.accumulate_grad_batches 0", "trainer.accumulate_grad_batches=0 is not allowed"),
        ("--model.batch_size_rule linear", "the learning-rate rule 'linear' needs reference_batch_size"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(
    line: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", *SMALL, "--run_dir", str(tmp_path / "run"), *line.split()]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_that_does_not_fit_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = ["--ckpt_path", str(run / "checkpoints" / "best.ckpt"), "--run_dir", str(tmp_path / "x")]
    words = ["test", "--config", "quickstart", "--data", "Synthetic", "--data.num_classes", "7"]
    assert main([*words, "--model.backbone.width", "4", *checkpoint]) == 2
    assert "the checkpoint's head has 10 classes, the data has 7" in capsys.readouterr().err
    assert main(["test", "--config", "quickstart", *checkpoint]) == 2
    assert (
        "the checkpoint is of resnet20_cifar, which does not fit resnet20_cifar as configured"
        in capsys.readouterr().err
    )
    assert not (tmp_path / "x").exists()
