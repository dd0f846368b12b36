"""What the experiments make of runs: verdicts that follow the numbers, and what is said of runs that failed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from resnet_zoo.analysis import TOLERANCE
from resnet_zoo.experiments import catalogue
from resnet_zoo.experiments.conductor import failed
from resnet_zoo.experiments.experiment import Evidence
from resnet_zoo.experiments.runs import Outcome, RunStore, TrainingRun, unique
from resnet_zoo.experiments.setting import Setting
from resnet_zoo.report.figures import ExperimentReport
from resnet_zoo.runs import EvaluationResult
from tests.saved_models import save_untrained

Finish = Callable[[TrainingRun, float, float], None]
Errors = dict[str, tuple[float, float]]

DIGITS: Errors = {
    "plain20": (5.0, 6.0),
    "plain56": (60.0, 62.0),
    "plain110": (88.0, 89.0),
    "resnet20": (1.0, 2.0),
    "resnet56": (1.2, 2.5),
    "plain32": (38.0, 39.0),
    "resnet32": (0.9, 1.6),
    "resnet32-B": (1.6, 2.0),
    "resnet32-C": (6.2, 6.8),
    "few20": (0.0, 7.5),
    "few56": (0.0, 12.0),
}
"""Errors as they come out on the digits, in percent."""


def evidence(setting: Setting, store: RunStore, name: str) -> Evidence:
    experiment = catalogue.load(name)
    return Evidence(store, unique(experiment.plan(setting)), experiment.tests(setting))


def judge(setting: Setting, store: RunStore, name: str) -> ExperimentReport:
    return catalogue.load(name).judge(setting, evidence(setting, store, name))


def verdicts(report: ExperimentReport) -> dict[str, str]:
    return {claim.name: claim.verdict for claim in report.claims}


def finish_all(setting: Setting, name: str, finish: Finish, errors: Errors) -> list[TrainingRun]:
    runs = unique(catalogue.load(name).plan(setting))
    for run in runs:
        if run.label in errors:
            finish(run, *errors[run.label])
    return runs


@pytest.mark.parametrize("name", ["degradation", "residual", "shortcuts", "very-deep"])
def test_claims_hold_on_numbers_as_they_come_out(
    name: str, quick: Setting, store: RunStore, finish: Finish
) -> None:
    finish_all(quick, name, finish, DIGITS)
    report = judge(quick, store, name)
    assert not failed(report.claims)
    assert "holds" in verdicts(report).values()
    assert all(claim.command == f"resnet-zoo reproduce {name} --preset quick" for claim in report.claims)
    assert all("digits" in claim.remarks[0] for claim in report.claims)
    assert report.figures
    assert report.tables


def test_plain_and_residual_swapped_break_degradation_and_residual(
    quick: Setting, store: RunStore, finish: Finish
) -> None:
    swapped = {
        **DIGITS,
        "plain20": DIGITS["resnet20"],
        "plain56": DIGITS["resnet56"],
        "resnet20": DIGITS["plain20"],
        "resnet56": DIGITS["plain56"],
    }
    for name in ("degradation", "residual"):
        finish_all(quick, name, finish, swapped)
    found = verdicts(judge(quick, store, "residual")) | verdicts(judge(quick, store, "degradation"))
    assert found["trains-worse"] == "fails"
    assert found["far-below-plain"] == "fails"
    assert found["no-degradation"] == "fails"
    assert found["equal-parameters"] == "holds"


def test_the_quick_preset_does_not_claim_that_deeper_is_better(
    quick: Setting, store: RunStore, finish: Finish
) -> None:
    finish_all(quick, "residual", finish, {**DIGITS, "resnet56": (0.1, 0.1)})
    report = judge(quick, store, "residual")
    claim = next(claim for claim in report.claims if claim.name == "deeper-is-better")
    assert claim.verdict == "no verdict"
    assert "preset paper only" in claim.remarks[0]
    assert not failed(report.claims)


def test_a_run_that_diverged_is_named_and_fails_the_claim(
    quick: Setting, store: RunStore, finish: Finish
) -> None:
    runs = finish_all(quick, "degradation", finish, DIGITS)
    gone = next(run for run in runs if (run.label, run.seed) == ("plain56", 1))
    store.record(gone, Outcome("diverged", 1.0, message="training diverged: the loss is nan"))
    report = judge(quick, store, "degradation")
    assert verdicts(report)["trains-worse"] == "fails"
    claim = report.claims[0]
    assert math.isnan(claim.measured["training error (%), plain-56"][1])
    assert "plain56, seed 1: diverged. training diverged: the loss is nan" in claim.remarks


def test_a_run_that_is_missing_leaves_no_verdict(quick: Setting, store: RunStore, finish: Finish) -> None:
    runs = finish_all(quick, "degradation", finish, {**DIGITS})
    gone = next(run for run in runs if (run.label, run.seed) == ("plain56", 1))
    for outcome, remark in (
        (Outcome("failed", 1.0, message="disk full"), "failed. disk full"),
        (None, "not there"),
    ):
        if outcome:
            store.record(gone, outcome)
        else:
            (store.directory(gone).path / "outcome.json").unlink()
        report = judge(quick, store, "degradation")
        assert verdicts(report)["trains-worse"] == "no verdict"
        assert len(failed(report.claims)) == 3
        assert any(remark in line for line in report.claims[0].remarks)


def test_highway_nets_may_not_diverge_but_plain_ones_may(
    quick: Setting, store: RunStore, finish: Finish
) -> None:
    errors: Errors = {
        f"highway{depth}": (5.0, 6.0) for depth in (10, 20, 50, 100)
    } | {f"plain{depth}fc": (60.0, 60.0) for depth in (10, 20, 50, 100)}  # fmt: skip
    errors |= {
        "highway50-shallow-bias": (89.0, 89.0),
        "plain-conv": (85.0, 85.0),
        "highway-conv": (12.0, 13.0),
    }
    runs = finish_all(quick, "highway", finish, {**errors, **DIGITS, "resnet8": (1.0, 2.0)})
    found = verdicts(judge(quick, store, "highway"))
    assert found["trains-where-plain-fails"] == found["carry-bias-follows-depth"] == "holds"
    assert found["gates-start-closed"] == "no verdict"  # there are no checkpoints to look into

    for label, expected in (("plain100fc", "holds"), ("highway100", "fails")):
        run = next(run for run in runs if run.label == label)
        store.record(run, Outcome("diverged", 1.0, message="the loss is nan"))
        report = judge(quick, store, "highway")
        assert verdicts(report)["trains-where-plain-fails"] == expected
        assert any(label in remark for remark in report.claims[0].remarks)


def test_gates_are_compared_with_the_net_before_training(store: RunStore, finish: Finish) -> None:
    setting = Setting("quick", store.out, num_seeds=1)
    runs = finish_all(setting, "highway", finish, {"highway50": (5.0, 6.0)})
    run = next(run for run in runs if run.label == "highway50")
    file = store.directory(run).checkpoints / "last.ckpt"
    save_untrained(file, "highway_mlp", depth=50, image_size=8)
    report = judge(setting, store, "highway")
    found = verdicts(report)
    assert found["gates-start-closed"] == "holds"
    assert found["training-moves-gates"] == "fails"  # an untrained net's gates did not move
    assert "highway-gates" in [figure.name for figure in report.figures]


def test_the_constructed_net_is_measured_on_the_run_s_own_weights(store: RunStore, finish: Finish) -> None:
    setting = Setting("quick", store.out, num_seeds=1)
    runs = finish_all(setting, "constructed", finish, {"plain20": (99.0, 99.0), "plain56": (99.5, 99.5)})
    run = next(run for run in runs if run.label == "plain20")
    save_untrained(store.directory(run).checkpoints / "last.ckpt", "plain_cifar", depth=20, width=8)
    report = judge(setting, store, "constructed")
    assert set(verdicts(report).values()) == {"holds"}
    assert report.claims[0].measured["largest difference of a logit"] == pytest.approx([0.0], abs=TOLERANCE)


def test_responses_are_measured_on_checkpoints(store: RunStore, finish: Finish) -> None:
    setting = Setting("quick", store.out, num_seeds=1)
    for run in finish_all(setting, "responses", finish, {}):
        finish(run, 1.0, 1.0)
        backbone = run.settings["model"]["backbone"]
        file = store.directory(run).checkpoints / "last.ckpt"
        save_untrained(file, backbone["class_path"], **backbone["init_args"])
    report = judge(setting, store, "responses")
    assert all(len(numbers) == 1 for claim in report.claims for numbers in claim.measured.values())
    assert [len(series.y) for series in report.figures[0].series] == [19, 7, 19]  # type: ignore[union-attr]


def test_very_deep_pools_all_images_that_were_held_out(
    quick: Setting, store: RunStore, finish: Finish
) -> None:
    runs = finish_all(quick, "very-deep", finish, DIGITS)
    for run in runs:
        other = EvaluationResult("val", 50.0, 100.0, 0.1, 15_000, 30_000, 30_000, 30_000)
        other.write(store.directory(run).result("last-val"))
    claim = judge(quick, store, "very-deep").claims[1]
    assert claim.measured["test error (%), ResNet-20 on 100 images"][0] == pytest.approx((7.5 + 3 * 50) / 4)


def test_curves_are_means_within_epochs_counted_from_one(
    quick: Setting, store: RunStore, finish: Finish
) -> None:
    finish_all(quick, "degradation", finish, DIGITS)
    found = evidence(quick, store, "degradation")
    assert found.curve("plain20", "train/top1") == [{1.0: 50.0, 2.0: 70.0}] * 3
    assert found.curve("plain20", "no/such") == [{}] * 3
    figure = judge(quick, store, "degradation").figures[0]
    assert [series.emphasis for series in figure.series[:2]] == ["thin", "bold"]  # type: ignore[union-attr]


def test_seconds_are_those_of_all_trainings(quick: Setting, store: RunStore, finish: Finish) -> None:
    runs = finish_all(quick, "degradation", finish, DIGITS)
    assert evidence(quick, store, "degradation").seconds == 2.0 * len(runs)


def test_paper_table_6_lays_ours_beside_the_paper_s(tmp_path: Path, store: RunStore, finish: Finish) -> None:
    (tmp_path / "cifar10" / "train").mkdir(parents=True)
    setting = Setting("paper", store.out, num_seeds=1, data_root=tmp_path)
    ours = {
        "resnet20": 8.7,
        "resnet32": 7.6,
        "resnet44": 7.3,
        "resnet56": 6.9,
        "resnet110": 6.5,
        "preact110": 6.3,
    }
    finish_all(setting, "depth", finish, {label: (0.1, error) for label, error in ours.items()})
    report = judge(setting, store, "depth")
    assert set(verdicts(report).values()) == {"holds"}
    rows = {row[0]: row for row in report.tables[0].rows}
    assert rows["ResNet-20"][1:6] == [269_722, 1, "8.70", "8.70", "8.75"]
    assert rows["highway, 19 layers"][2:5] == [0, None, None]
    assert "image files" in report.claims[0].remarks[0]


def test_imagenet_reads_the_protocols_results(tmp_path: Path, store: RunStore) -> None:
    setting = Setting("paper", store.out, num_seeds=1, data_root=tmp_path)
    experiment = catalogue.load("imagenet")
    top1 = {
        "plain18": 28,
        "plain34": 29,
        "resnet18-A": 28,
        "resnet34-A": 25,
        "resnet34-B": 24.5,
        "resnet34-C": 24,
    }
    top1 |= {"resnet50": 23, "resnet101": 22, "resnet152": 21, "ensemble": 20}
    for test in experiment.tests(setting):
        directory = store.directory(test)
        directory.path.mkdir(parents=True)
        wrong = round(100 * top1[test.label])
        right1, right5 = 10_000 - wrong, 10_000 - wrong // 4
        found = EvaluationResult("val", right1 / 100, right5 / 100, 1.0, right1, right5, 10_000, 10_000)
        found.write(directory.result("val"))
        store.record(test, Outcome("finished", 1.0))
    report = judge(setting, store, "imagenet")
    assert set(verdicts(report).values()) == {"holds"}
    table = {row[0]: row for row in report.tables[0].rows}
    assert table["plain-34"] == ["plain-34", 29.0, 7.25, 28.54, 10.02]
    assert report.tables[2].rows[0][-1] == 3.57


def test_each_seed_of_the_paper_is_planned(tmp_path: Path, store: RunStore) -> None:
    setting = Setting("paper", store.out, data_root=tmp_path)
    runs = catalogue.load("depth").plan(setting)
    counts = {
        label: sum(run.label == label for run in runs) for label in ("resnet20", "resnet110", "preact164")
    }
    assert counts == {"resnet20": 1, "resnet110": 5, "preact164": 5}
    assert {run.config for run in runs if run.label == "resnet110"} == {"r110_cifar10"}
    fewer = catalogue.load("depth").plan(replace(setting, num_seeds=2))
    assert sum(run.label == "resnet110" for run in fewer) == 2
