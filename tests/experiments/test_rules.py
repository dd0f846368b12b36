"""Every rule of every experiment: numbers that it accepts, and numbers that break the claim and are refused."""

from __future__ import annotations

import importlib
import math
from typing import Any

import pytest

from resnet_zoo.experiments import catalogue
from resnet_zoo.experiments.rules import Rule, apart, mean, median, standard_deviation

RESIDUAL, PLAIN = [0.8, 1.7, 1.0], [57.0, 60.4, 72.8]

# module, rule, numbers of a claim that holds, and several sets of numbers that break it
CASES: list[tuple[str, str, tuple[list[float], ...], list[tuple[list[float], ...]]]] = [
    ("gradients", "VANISHES", ([2e-13, 3e-13],), [([2e-13, 1e-3],), ([1.0, 1.0],)]),
    ("gradients", "KEEPS", ([0.6, 1.5], [2.0, 4.0]), [([0.6, 1e-9], [2.0, 4.0]), ([1.0, 1.0], [2.0, 300.0])]),
    ("gradients", "RESCUES", ([1e-13], [0.4]), [([1e-13], [1e-12]), ([0.3], [0.4])]),
    (
        "gradients",
        "EXPLODES",
        ([2.0], [20.0], [700.0]),
        [([2.0], [20.0], [1e-7]), ([2.0], [20.0], [50.0]), ([30.0], [20.0], [700.0])],
    ),
    ("gradients", "TAMES", ([700.0], [5.0]), [([700.0], [600.0]), ([30.0], [5.0])]),
    ("gradients", "STAYS", ([1e-13],), [([1e-3],)]),
    ("degradation", "TRAINS_WORSE", ([9.5, 2.8, 5.4], PLAIN), [(PLAIN, [9.5, 2.8, 5.4]), ([9.5], RESIDUAL)]),
    ("degradation", "TESTS_WORSE", ([9.5, 2.8, 5.4], PLAIN), [([9.5, 2.8], [9.0, 60.0])]),
    (
        "degradation",
        "WORSE_WITH_DEPTH",
        ([1.0], [2.0], [3.0]),
        [([1.0], [3.0], [2.0]), ([1.0], [1.0], [1.0])],
    ),
    (
        "residual",
        "FAR_BELOW",
        (PLAIN, RESIDUAL),
        [(PLAIN, PLAIN), (RESIDUAL, PLAIN), (PLAIN, [1.0, 1.0, 40.0])],
    ),
    ("residual", "NOT_WORSE", (RESIDUAL, [1.6, 0.6, 14.0]), [(RESIDUAL, PLAIN), (RESIDUAL, [9.0, 8.0, 0.6])]),
    ("residual", "DEEPER_IS_BETTER", ([8.75], [6.97]), [([6.97], [8.75]), ([7.0], [7.0])]),
    ("residual", "EQUAL", ([269722.0], [269722.0]), [([269722.0], [272474.0])]),
    ("constructed", "SAME_LOGITS", ([0.0, 9e-6],), [([0.0, 2e-5],), ([math.inf],)]),
    ("constructed", "NO_WORSE", ([5.5, 5.2], [5.5, 5.1]), [([5.5, 5.2], [5.5, 5.3])]),
    ("constructed", "SOLVER_MISSES_IT", ([5.5, 10.7], PLAIN), [(PLAIN, [5.5]), ([5.5, 60.0], PLAIN)]),
    (
        "identity",
        "FASTER",
        ([400.0, 500.0], [100.0, 90.0]),
        [([400.0, 500.0], [100.0, 300.0]), ([9.0], [9.0])],
    ),
    ("identity", "NOT_FASTER", ([80.0], [90.0]), [([100.0], [90.0])]),
    ("responses", "BELOW_PLAIN", ([0.38, 0.37], [0.36, 0.35]), [([0.38, 0.37], [0.36, 0.39])]),
    ("responses", "SMALLER_WITH_DEPTH", ([0.36], [0.32]), [([0.32], [0.36]), ([0.36, 0.30], [0.32, 0.31])]),
    (
        "shortcuts",
        "ALL_BEAT_PLAIN",
        (PLAIN, RESIDUAL, RESIDUAL, RESIDUAL),
        [(PLAIN, RESIDUAL, PLAIN, RESIDUAL)],
    ),
    (
        "shortcuts",
        "NOT_ESSENTIAL",
        (RESIDUAL, RESIDUAL, [7.0]),
        [(PLAIN, RESIDUAL, RESIDUAL), ([3.0], [1.0], [5.0])],
    ),
    ("shortcuts", "SMALL_DIFFERENCES", ([7.0], [6.6], [6.3]), [([7.0], [6.6], [5.0])]),
    ("shortcuts", "PROJECTIONS_HELP_A_LITTLE", ([7.0], [6.9], [7.1]), [([7.0], [7.1], [7.2])]),
    (
        "highway",
        "TRAINS_WHERE_PLAIN_FAILS",
        ([34.0], [4.0], [100.0], [5.0]),
        [([34.0], [20.0], [100.0], [5.0]), ([34.0], [4.0], [5.0], [5.0])],
    ),
    ("highway", "NOT_WORSE_WITH_DEPTH", ([6.0], [5.0]), [([6.0], [40.0])]),
    ("highway", "CONVOLUTIONAL", ([85.0], [12.0]), [([20.0], [12.0])]),
    ("highway", "BIAS_MATTERS", ([89.8], [4.0]), [([5.0], [4.0]), ([89.8], [89.8])]),
    (
        "highway",
        "BETTER_THAN_PLAIN_TWIN",
        ([9.0], [7.7], [90.0], [8.8]),
        [([7.0], [7.7], [90.0], [8.8]), ([9.0], [7.7], [8.0], [8.8])],
    ),
    ("highway_gates", "STARTS_AT_SIGMOID", ([0.0067], [0.0084]), [([0.12], [0.5])]),
    ("highway_gates", "TRAINING_MOVES", ([0.03],), [([0.03, 0.0],)]),
    (
        "complexity",
        "A_FIFTH_OF_VGG",
        ([19.6e9], [3.6e9]),
        [([19.6e9], [19.6e9]), ([15.3e9], [3.6e9])],
    ),
    ("complexity", "LESS_THAN_VGG", ([15.3e9], [11.3e9]), [([11.3e9], [15.3e9])]),
    ("complexity", "FREE", ([1.0, 2.0], [1.0, 2.0]), [([1.0, 2.0], [1.0, 2.1])]),
    ("complexity", "AS_PRINTED", ([3.64, 19.63], [3.6, 19.6]), [([4.1], [3.8])]),
    ("very_deep", "FITS", ([0.0, 0.5],), [([0.0, 5.0],)]),
    ("very_deep", "TESTS_WORSE", ([6.4], [7.9]), [([7.9], [6.4])]),
    (
        "depth",
        "BETTER_WITH_DEPTH",
        ([8.75], [7.51], [7.17], [6.97], [6.61]),
        [([8.75], [7.51], [7.6], [6.97], [6.61])],
    ),
    ("depth", "AS_PRINTED", ([8.5], [8.75]), [([8.0], [8.75])]),
    ("depth", "PREACT_BETTER", ([6.61], [6.37]), [([6.37], [6.61])]),
    ("imagenet", "PLAIN_DEGRADES", ([27.9], [28.5]), [([28.5], [27.9])]),
    (
        "imagenet",
        "RESIDUAL_GAINS",
        ([27.9], [25.0], [28.5]),
        [([25.0], [27.9], [28.5]), ([27.9], [27.5], [28.5])],
    ),
    (
        "imagenet",
        "PROJECTIONS_HELP_A_LITTLE",
        ([25.0], [24.5], [24.2]),
        [([24.2], [24.5], [25.0]), ([29.0], [24.5], [24.2])],
    ),
    ("imagenet", "FALLS_WITH_DEPTH", ([24.5], [22.9], [21.8]), [([24.5], [25.0], [21.8])]),
    ("imagenet", "TOGETHER_BETTER", ([3.6], [4.5], [4.6]), [([4.5], [4.5], [4.6])]),
]


def rule(module: str, name: str) -> Rule:
    found: Rule = getattr(importlib.import_module(f"resnet_zoo.experiments.{module}"), name)
    return found


@pytest.mark.parametrize(
    ("module", "name", "good", "bad"), CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES]
)
def test_a_rule_can_hold_and_can_fail(module: str, name: str, good: Any, bad: Any) -> None:
    tested = rule(module, name)
    assert tested.text.endswith(".")
    assert tested.decide(*good, num_seeds=1) == "holds"
    for numbers in bad:
        assert tested.decide(*numbers, num_seeds=1) == "fails"


@pytest.mark.parametrize(
    ("module", "name", "good", "bad"), CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES]
)
def test_a_run_that_diverged_fails_the_claim_and_a_missing_one_leaves_no_verdict(
    module: str, name: str, good: Any, bad: Any
) -> None:
    for position in range(len(good)):
        diverged = [
            [math.nan, *numbers[1:]] if at == position else numbers for at, numbers in enumerate(good)
        ]
        assert rule(module, name).decide(*diverged, num_seeds=1) == "fails"
        missing = [[] if at == position else numbers for at, numbers in enumerate(good)]
        assert rule(module, name).decide(*missing, num_seeds=1) == "no verdict"


def test_every_rule_is_tested() -> None:
    modules = {entry.module for entry in catalogue.CATALOGUE.values()} | {"highway_gates"}
    declared = {
        (module, name)
        for module in modules
        for name, value in vars(importlib.import_module(f"resnet_zoo.experiments.{module}")).items()
        if isinstance(value, Rule)
    }
    assert declared == {(module, name) for module, name, _, _ in CASES}


def test_fewer_numbers_than_seeds_leave_no_verdict() -> None:
    above_one = Rule("Above one.", lambda numbers: min(numbers) > 1)
    assert above_one.decide([2.0, 3.0], num_seeds=3) == "no verdict"
    assert above_one.decide([2.0, 3.0], num_seeds=2) == "holds"
    assert above_one.decide([], num_seeds=0) == "no verdict"


def test_statistics() -> None:
    assert mean([1.0, 2.0, 6.0]) == 3.0
    assert median([9.0, 1.0, 2.0]) == 2.0
    assert median([4.0, 1.0, 2.0, 3.0]) == 2.5
    assert standard_deviation([1.0, 3.0]) == pytest.approx(2**0.5)
    assert standard_deviation([5.0]) == 0.0
    assert apart([1.0, 2.0], [3.0, 4.0])
    assert not apart([1.0, 3.0], [3.0, 4.0])
