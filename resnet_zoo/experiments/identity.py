"""Is the identity hard to learn? Two nonlinear layers and a target (He et al. 2015, arXiv:1512.03385, section 3.1).

The paper reformulates what a block learns because the degradation suggests that solvers have difficulties to
approximate identity mappings by stacks of nonlinear layers. Here a single block is asked to be the identity, something
near it, and the zero function, which is the residual's own easiest target. No network is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from resnet_zoo.analysis import PERTURBATION, fit_target
from resnet_zoo.analysis.identity import Target
from resnet_zoo.experiments.experiment import ClaimMaker, Evidence, Experiment
from resnet_zoo.experiments.rules import Rule, mean
from resnet_zoo.experiments.setting import Setting
from resnet_zoo.report.figures import Cell, Claim, ExperimentReport, LineFigure, Series, Table

NAME = "identity"
SOURCE = "He et al. 2015, arXiv:1512.03385, section 3.1"
UPDATES = 250
GOAL = 0.1
"""Relative error that counts as learned."""

FASTER = Rule(
    f"In every seed the block with shortcut needs at most half the updates to a relative error of {GOAL:g}, counted "
    f"with a limit of {UPDATES}.",
    lambda without, with_shortcut: all(
        fast <= slow / 2 for slow, fast in zip(without, with_shortcut, strict=True)
    ),
)
NOT_FASTER = Rule(
    f"In every seed the block without shortcut needs no more updates to a relative error of {GOAL:g} than that with.",
    lambda without, with_shortcut: all(
        plain <= other for plain, other in zip(without, with_shortcut, strict=True)
    ),
)
RULES = (FASTER, NOT_FASTER)

Errors = dict[tuple[Target, bool], list[list[float]]]
"""(target, with shortcut) -> for each seed, the relative error before every update and behind the last."""


def measure(seeds: Sequence[int], updates: int = UPDATES) -> Errors:
    """Fit every target with and without shortcut."""
    return {
        (target, shortcut): [fit_target(target, shortcut, seed=seed, updates=updates) for seed in seeds]
        for target in get_args(Target)
        for shortcut in (False, True)
    }


def updates_to_goal(errors: Sequence[float]) -> float:
    """The first update after which the error is at most ``GOAL``; all of them if it never is."""
    return float(next((update for update, error in enumerate(errors) if error <= GOAL), len(errors)))


def judge(setting: Setting, evidence: Evidence) -> ExperimentReport:
    """Measure and decide."""
    seeds = setting.seeds(in_paper=3)
    errors = measure(seeds)
    remarks = ["Random vectors, no images; the paper states this as a hypothesis and has no such experiment."]
    maker = ClaimMaker(setting, NAME, remarks)
    return ExperimentReport(
        NAME,
        "What a block is asked to learn: near the identity or not",
        "One block of two nonlinear layers, 32 wide, is fitted to three functions of random non-negative vectors: the "
        f"identity, the identity with a random linear perturbation of {PERTURBATION:.0%}, and zero. With a shortcut it "
        "must only learn the difference from its input. Both start from the same weights.",
        claims(maker, errors, len(seeds)),
        [figure(target, errors) for target in get_args(Target)],
        [table(errors)],
    )


def claims(maker: ClaimMaker, errors: Errors, num_seeds: int) -> list[Claim]:
    """The sentences and what the numbers say of them."""

    def claim(name: str, sentence: str, rule: Rule, target: Target) -> Claim:
        measured = {
            f"updates to a relative error of {GOAL:g}, {which} shortcut": [
                updates_to_goal(seed) for seed in errors[target, shortcut]
            ]
            for which, shortcut in (("without", False), ("with", True))
        }
        return maker.claim(name, sentence, SOURCE, rule, measured, num_seeds=num_seeds)

    return [
        claim(
            "identity",
            "With a shortcut two layers learn the identity faster than without.",
            FASTER,
            "identity",
        ),
        claim(
            "near-identity",
            "If the function wanted is near the identity, the shortcut helps as well.",
            FASTER,
            "perturbed identity",
        ),
        claim(
            "zero",
            "If the function wanted is zero rather than the identity, the shortcut is no help.",
            NOT_FASTER,
            "zero",
        ),
    ]


def figure(target: Target, errors: Errors) -> LineFigure:
    """Error against updates for one target."""
    series = []
    for shortcut in (False, True):
        values = list(zip(*errors[target, shortcut], strict=True))
        series.append(
            Series(
                "with shortcut" if shortcut else "without shortcut",
                list(range(len(values))),
                [mean(at) for at in values],
                spread_low=[min(at) for at in values],
                spread_high=[max(at) for at in values],
            )
        )
    return LineFigure(
        f"identity-{target.replace(' ', '-')}",
        f"Fitting the {target if 'identity' in target else 'zero function'}",
        "update",
        "squared error, relative to the input",
        series,
        log_y=True,
        caption="Mean over the seeds, the band from least to largest.",
    )


def table(errors: Errors) -> Table:
    """Error at the end."""
    rows: list[list[Cell]] = []
    for (target, shortcut), seeds in errors.items():
        last = [seed[-1] for seed in seeds]
        rows.append(
            [
                target,
                "with" if shortcut else "without",
                f"{mean(last):.1e}",
                f"{min(last):.1e} to {max(last):.1e}",
            ]
        )
    return Table(
        f"Relative error after {UPDATES} updates", ["target", "shortcut", "mean", "least to largest"], rows
    )


EXPERIMENT = Experiment(NAME, "What a block is asked to learn", ("quick", "paper"), lambda setting: [], judge)
