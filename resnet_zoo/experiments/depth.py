"""Table 6 of He et al. 2015 (arXiv:1512.03385), CIFAR-10 at all depths, with pre-activation and highway nets."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from resnet_zoo.experiments.experiment import ClaimMaker, Evidence, Experiment
from resnet_zoo.experiments.nets import complexity_of
from resnet_zoo.experiments.plots import best_and_spread, error_curves
from resnet_zoo.experiments.recipes import describe_data, on_cifar, require_cifar
from resnet_zoo.experiments.rules import Rule, mean
from resnet_zoo.experiments.runs import TrainingRun
from resnet_zoo.experiments.setting import Setting
from resnet_zoo.report.figures import Cell, Claim, ExperimentReport, LineFigure, Table

NAME = "depth"
TABLE_6 = "He et al. 2015, arXiv:1512.03385, table 6"
BAND = 0.6
"""Percentage points: the paper's five runs of ResNet-110 spread by 0.16, and a single run may lie anywhere in that."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        title: the net.
        backbone: its registered name.
        config: shipped config whose protocol it follows.
        runs: how many the paper has.
        paper: test error in percent as printed.
        mean: the paper's mean over its runs, or its only number.
        source: of the paper's numbers.
        arguments: of the builder.
    """

    title: str
    backbone: str
    config: str
    runs: int
    paper: str
    mean: float
    source: str = TABLE_6
    arguments: dict[str, Any] = field(default_factory=dict)


PREACT = "He et al. 2016, arXiv:1603.05027, table 3 (median of 5 runs)"
HIGHWAY = "Srivastava et al. 2015, arXiv:1507.06228, as in He et al. 2015, table 6"

ROWS: dict[str, Row] = {
    "resnet20": Row("ResNet-20", "resnet_cifar", "r20_cifar10", 1, "8.75", 8.75, arguments={"depth": 20}),
    "resnet32": Row("ResNet-32", "resnet_cifar", "r20_cifar10", 1, "7.51", 7.51, arguments={"depth": 32}),
    "resnet44": Row("ResNet-44", "resnet_cifar", "r20_cifar10", 1, "7.17", 7.17, arguments={"depth": 44}),
    "resnet56": Row("ResNet-56", "resnet_cifar", "r20_cifar10", 1, "6.97", 6.97, arguments={"depth": 56}),
    "resnet110": Row(
        "ResNet-110", "resnet_cifar", "r110_cifar10", 5, "6.43 (6.61 ± 0.16)", 6.61, arguments={"depth": 110}
    ),
    "preact110": Row(
        "pre-activation ResNet-110", "preact_resnet110_cifar", "r110_cifar10", 5, "6.37", 6.37, PREACT
    ),
    "preact164": Row(
        "pre-activation ResNet-164", "preact_resnet164_cifar", "r110_cifar10", 5, "5.46", 5.46, PREACT
    ),
    "highway19-cifar": Row(
        "highway, 19 layers", "highway19_cifar", "highway19_cifar10", 5, "7.54 (7.72 ± 0.16)", 7.72, HIGHWAY
    ),
    "highway32-cifar": Row(
        "highway, 32 layers", "highway32_cifar", "highway19_cifar10", 1, "8.80", 8.80, HIGHWAY
    ),
}
RESIDUAL = ("resnet20", "resnet32", "resnet44", "resnet56", "resnet110")

BETTER_WITH_DEPTH = Rule(
    "The mean test error over the seeds falls from each depth to the next.",
    lambda *by_depth: all(mean(deep) < mean(shallow) for shallow, deep in pairwise(by_depth)),
)
AS_PRINTED = Rule(
    f"The mean test error of every ResNet is within {BAND:g} percentage points of the paper's.",
    lambda ours, paper: all(abs(o - p) <= BAND for o, p in zip(ours, paper, strict=True)),
)
PREACT_BETTER = Rule(
    "The mean test error of the pre-activation net of 110 layers is below that of the original one.",
    lambda original, preact: mean(preact) < mean(original),
)
RULES = (BETTER_WITH_DEPTH, AS_PRINTED, PREACT_BETTER)


def plan(setting: Setting) -> list[TrainingRun]:
    """All trainings."""
    return [
        on_cifar(setting, label, seed, row.config, row.backbone, row.arguments)
        for label, row in ROWS.items()
        for seed in setting.seeds(in_paper=row.runs)
    ]


def judge(setting: Setting, evidence: Evidence) -> ExperimentReport:
    """Decide."""
    remarks = [describe_data(setting), *evidence.remarks()]
    remarks.append("Judged by the last epoch's weights; no choice is made by the test images.")
    maker = ClaimMaker(setting, NAME, remarks)
    curves = error_curves(evidence, {label: ROWS[label].title for label in RESIDUAL})
    figure = LineFigure(
        "depth-errors",
        "ResNets on CIFAR-10",
        "epoch",
        "error (%)",
        curves,
        caption="Thin: training error, bold: error on the images set aside. Mean over the seeds.",
    )
    return ExperimentReport(
        NAME,
        "Depth on CIFAR-10: ours and the paper's table 6",
        "The paper's protocol: 64,000 updates of 128 images, the rate divided by ten at 32,000 and 48,000, padded "
        f"crops and flips, 45,000 images for training. {describe_data(setting)}",
        claims(maker, setting, evidence),
        [figure] if curves else [],
        [table(evidence)],
    )


def claims(maker: ClaimMaker, setting: Setting, evidence: Evidence) -> list[Claim]:
    """The sentences and what the numbers say of them."""
    test = {label: evidence.errors(label, "test") for label in ROWS}
    fewest = min(len(setting.seeds(in_paper=row.runs)) for row in ROWS.values())
    trained = [label for label in RESIDUAL if test[label]]
    originals = {f"test error (%), {ROWS[label].title}": test[label] for label in RESIDUAL}
    pair = {f"test error (%), {ROWS[label].title}": test[label] for label in ("resnet110", "preact110")}
    return [
        maker.claim(
            "better-with-depth",
            "Residual nets gain from depth: from 20 layers to 110 the test error falls.",
            TABLE_6,
            BETTER_WITH_DEPTH,
            originals,
            num_seeds=fewest,
        ),
        maker.claim(
            "as-printed",
            "Our errors are the paper's.",
            TABLE_6,
            AS_PRINTED,
            {
                "mean test error (%), ours": [mean(test[label]) for label in trained],
                "test error (%), paper": [ROWS[label].mean for label in trained],
            },
            num_seeds=len(RESIDUAL),
            remarks=["The order of the numbers: " + ", ".join(ROWS[label].title for label in trained) + "."],
        ),
        maker.claim(
            "pre-activation",
            "Pre-activation makes the 110-layer net better.",
            PREACT,
            PREACT_BETTER,
            pair,
            num_seeds=fewest,
        ),
    ]


def table(evidence: Evidence) -> Table:
    """Table 6, ours and the paper's."""
    rows: list[list[Cell]] = []
    for label, row in ROWS.items():
        parameters = complexity_of(row.backbone, row.arguments, 32).parameters
        chosen, last = evidence.chosen_errors(label), evidence.errors(label, "test")
        rows.append(
            [
                row.title,
                parameters,
                len(last),
                best_and_spread(chosen),
                best_and_spread(last),
                row.paper,
                row.source,
            ]
        )
    columns = [
        "net",
        "parameters",
        "seeds",
        "test error (%) of the checkpoint that validated best: best (mean ± std)",
        "test error (%) of the last epoch: best (mean ± std)",
        "paper",
        "paper's source",
    ]
    return Table("Test error on CIFAR-10", columns, rows, "Ours on the left, the papers' on the right.")


EXPERIMENT = Experiment(NAME, "Table 6 on CIFAR-10", ("paper",), plan, judge, require_cifar)
