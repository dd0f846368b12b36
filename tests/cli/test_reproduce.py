"""``resnet-zoo reproduce`` from the command line to report, ledger and exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from resnet_zoo.cli.main import main
from resnet_zoo.experiments import catalogue, complexity
from resnet_zoo.experiments.experiment import ClaimMaker, Evidence, Experiment
from resnet_zoo.experiments.nets import Net
from resnet_zoo.experiments.recipes import on_digits
from resnet_zoo.experiments.rules import Rule
from resnet_zoo.experiments.runs import EvaluationRun, TrainingRun
from resnet_zoo.experiments.setting import Setting
from resnet_zoo.report.figures import ExperimentReport, LineFigure, Series

TRAINED = Rule("The training error is below 100 %.", lambda errors: max(errors) < 100)
DIVERGES = 1e30
"""A learning rate that no net survives."""


def claims_of(out: Path) -> dict[str, dict[str, Any]]:
    ledger = json.loads((out / "claims.json").read_text())
    return {claim["name"]: claim for claim in ledger["claims"]}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Puts an experiment of two trainings of one epoch in the place of 'degradation'."""

    def install(learning_rate: float) -> None:
        def plan(setting: Setting) -> list[TrainingRun]:
            size = {"depth": 8, "width": 2}
            good = on_digits("good", 0, "resnet_cifar", size, epochs=1)
            return [good, on_digits("other", 0, "resnet_cifar", size, epochs=1, learning_rate=learning_rate)]

        def judge(setting: Setting, evidence: Evidence) -> ExperimentReport:
            maker = ClaimMaker(setting, "degradation", evidence.remarks())
            errors = {label: {"error": evidence.errors(label)} for label in ("good", "other")}
            claims = [
                maker.claim(label, f"{label} trains.", "nowhere", TRAINED, error, num_seeds=1)
                for label, error in errors.items()
            ]
            figure = LineFigure("tiny", "A figure", "x", "y", [Series("line", [1, 2], [1, 2])])
            return ExperimentReport("degradation", "Tiny", "Two trainings.", claims, [figure])

        experiment = Experiment("degradation", "Tiny", ("quick",), plan, judge)
        monkeypatch.setattr(catalogue, "load", lambda name: experiment)

    return install


def test_the_list_names_every_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(catalogue.CATALOGUE)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "no experiment named 'nothing'. Known: complexity, constructed"),
        ([], "reproduce needs the name of an experiment, or 'all'"),
        (["imagenet"], "experiment 'imagenet' has no preset 'quick'"),
        (
            ["depth", "--preset", "paper", "--data-root", "nowhere"],
            "needs CIFAR-10, which was not found in 'nowhere'",
        ),
        (["gradients", "--seeds", "0"], "'0' is not a whole number of at least 1"),
        (["gradients", "--first-seed", "-1"], "--first-seed"),
        (["residual", "--", "--trainer.precision", "16"], "cannot be given to the preset quick"),
    ],
)
def test_mistakes_are_explained(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str], working_directory: Path
) -> None:
    assert main(["reproduce", *words]) == 2
    assert message in capsys.readouterr().err
    assert not list(working_directory.iterdir())


def test_an_experiment_leaves_a_report_a_ledger_and_figures(
    working_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", "complexity"]) == 0
    out = working_directory / "reproduce" / "quick"
    assert "ResNet-34" in (out / "report.html").read_text()
    assert {file.suffix for file in (out / "figures").iterdir()} == {".png", ".svg"}
    claims = claims_of(out)
    assert {claim["verdict"] for claim in claims.values()} == {"holds"}
    told = {"sentence", "source", "rule", "measured", "verdict", "command", "remarks", "seconds"}
    assert claims["a-fifth-of-vgg"].keys() >= told
    assert "4 of 4 claims hold" in capsys.readouterr().out


def test_a_claim_that_does_not_hold_is_an_exit_code(
    working_directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    swapped = {"VGG-19": complexity.Row("resnet34", {}, 19.6)}
    monkeypatch.setattr(complexity, "ROWS", {**complexity.ROWS, **swapped})
    assert main(["reproduce", "complexity", "--out", "here"]) == 1
    assert claims_of(Path("here"))["a-fifth-of-vgg"]["verdict"] == "fails"
    assert "fails       ResNet-34's 3.6 billion" in capsys.readouterr().out


def test_trainings_are_ordinary_runs_and_are_not_repeated(
    tiny: Callable[[float], None], working_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny(0.1)
    words = ["reproduce", "degradation", "--out", "here", "--jobs", "1"]
    assert main([*words, "--plan"]) == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [["resnet-zoo", "fit"]] * 2
    assert main(words) == 0
    assert capsys.readouterr().out.count("finished") == 2
    runs = sorted((working_directory / "here" / "runs").iterdir())
    for run in runs:
        files = {path.name for path in run.iterdir()}
        assert files >= {
            "config.yaml",
            "record.json",
            "metrics.csv",
            "checkpoints",
            "test.json",
            "last-train.json",
        }
    written = {run: (run / "metrics.csv").stat().st_mtime_ns for run in runs}
    assert main(words) == 0
    assert "finished" not in capsys.readouterr().out
    assert written == {run: (run / "metrics.csv").stat().st_mtime_ns for run in runs}


def test_a_run_that_diverges_fails_its_claim_and_no_other(
    tiny: Callable[[float], None], working_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny(DIVERGES)
    assert main(["reproduce", "degradation", "--out", "here", "--jobs", "1"]) == 1
    claims = claims_of(Path("here"))
    assert (claims["good"]["verdict"], claims["other"]["verdict"]) == ("holds", "fails")
    assert claims["other"]["measured"]["error"] == ["NaN"]
    assert any("diverged" in remark for remark in claims["other"]["remarks"])
    assert "diverged" in capsys.readouterr().out


def test_further_evaluations_follow_the_trainings(
    working_directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_images(working_directory / "images")
    data = {
        "class_path": "ImageFolder",
        "init_args": {"image_size": 32, "global_batch_size": 4, "num_workers": 0},
    }

    def plan(setting: Setting) -> list[TrainingRun]:
        runs = [on_digits("net", seed, "resnet_cifar", {"depth": 8, "width": 2}, epochs=1) for seed in (0, 1)]
        local = ("--data.root", "images")
        return [replace(run, settings={**run.settings, "data": data}, local=local) for run in runs]

    def tests(setting: Setting) -> list[EvaluationRun]:
        first, second = plan(setting)
        return [
            EvaluationRun("net", (first,), "ten_crop"),
            EvaluationRun("both", (first, second), "multi_scale"),
        ]

    def judge(setting: Setting, evidence: Evidence) -> ExperimentReport:
        found = [*evidence.tested("net", "ten_crop"), *evidence.tested("both", "multi_scale")]
        errors = {"error": [100.0 - result.top1 for result in found]}
        both = Rule("Both are there.", lambda errors: len(errors) == 2)
        claim = ClaimMaker(setting, "imagenet").claim("both", "Both.", "nowhere", both, errors, num_seeds=2)
        return ExperimentReport("imagenet", "Tiny", "Two evaluations.", [claim])

    experiment = Experiment("degradation", "Tiny", ("quick",), plan, judge, tests=tests)
    monkeypatch.setattr(catalogue, "load", lambda name: experiment)
    assert main(["reproduce", "degradation", "--out", "here", "--jobs", "1"]) == 0
    assert claims_of(Path("here"))["both"]["verdict"] == "holds"
    assert "both seed 0: finished" in capsys.readouterr().out


def make_images(root: Path) -> None:
    """Two classes, each of four training and two validation images."""
    generator = np.random.default_rng(0)
    for split, count in (("train", 4), ("val", 2)):
        for name in ("a", "b"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 255, (40, 44, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.jpg")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_residual_blocks_in_the_plain_net_make_degradation_fail(
    working_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Net.runs

    def swapped(self: Net, setting: Setting, in_paper: int = 1) -> list[TrainingRun]:
        backbone = "resnet_cifar" if self.depth > 20 else self.backbone
        arguments = self.arguments(setting.quick)
        return [on_digits(self.label, run.seed, backbone, arguments) for run in kept(self, setting, in_paper)]

    monkeypatch.setattr(Net, "runs", swapped)
    assert main(["reproduce", "degradation", "--seeds", "1", "--out", "here", "--jobs", "1"]) == 1
    assert claims_of(Path("here"))["trains-worse"]["verdict"] == "fails"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_processes_share_an_experiment(working_directory: Path) -> None:
    assert main(["reproduce", "residual", "--seeds", "1", "--out", "here", "--jobs", "2"]) == 0
    claims = claims_of(Path("here"))
    assert claims["far-below-plain"]["verdict"] == "holds"
    assert claims["deeper-is-better"]["verdict"] == "no verdict"
