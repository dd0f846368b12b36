"""Deeper plain nets train worse (He et al. 2015, arXiv:1512.03385, section 1 and figures 1 and 6, left)."""

from __future__ import annotations

from itertools import pairwise

from resnet_zoo.experiments.experiment import ClaimMaker, Evidence, Experiment
from resnet_zoo.experiments.nets import Net
from resnet_zoo.experiments.plots import error_curves, error_table
from resnet_zoo.experiments.recipes import describe_data, require_cifar_in_paper
from resnet_zoo.experiments.rules import Rule, apart, mean
from resnet_zoo.experiments.runs import TrainingRun
from resnet_zoo.experiments.setting import Setting
from resnet_zoo.report.figures import Claim, ExperimentReport, LineFigure, Mark

NAME = "degradation"
SOURCE = "He et al. 2015, arXiv:1512.03385, figure 1 and figure 6 (left)"

TRAINS_WORSE = Rule(
    "Over all seeds, the lowest training error of the deeper net lies above the highest of the shallower one.",
    apart,
)
TESTS_WORSE = Rule(
    "Over all seeds, the lowest test error of the deeper net lies above the highest of the shallower one.",
    apart,
)
WORSE_WITH_DEPTH = Rule(
    "The mean training error over the seeds grows from each depth to the next.",
    lambda *by_depth: all(mean(deeper) > mean(shallower) for shallower, deeper in pairwise(by_depth)),
)
RULES = (TRAINS_WORSE, TESTS_WORSE, WORSE_WITH_DEPTH)


def nets(setting: Setting) -> list[Net]:
    """Plain nets of growing depth; the first and the 56-layer one are those of figure 1."""
    return [Net("plain", depth) for depth in ((20, 56, 110) if setting.quick else (20, 32, 44, 56))]


def plan(setting: Setting) -> list[TrainingRun]:
    """All trainings."""
    return [run for net in nets(setting) for run in net.runs(setting)]


def judge(setting: Setting, evidence: Evidence) -> ExperimentReport:
    """Decide."""
    titles = {net.label: net.title for net in nets(setting)}
    remarks = [describe_data(setting), *evidence.remarks()]
    remarks.append(
        "The paper's curves on CIFAR-10 have the same order after 64,000 updates, from 20 to 56 layers; its plain-110 "
        "stays above 60 % error and is not shown."
    )
    if setting.quick:
        remarks.append(
            "With a budget of ten epochs the effect is slow optimization, as the paper conjectures (section 4.1), not "
            "an inability to learn: given more epochs the deeper nets go on improving."
        )
    maker = ClaimMaker(setting, NAME, remarks)
    figure = LineFigure(
        "degradation-errors",
        "Plain nets: the deeper, the worse, in training as in testing",
        "epoch",
        "error (%)",
        error_curves(evidence, titles),
        caption="Thin: training error, on augmented images as it was met. Bold: error on held-out images. Mean over "
        f"the seeds, the band from least to largest. {describe_data(setting)}",
        marks=[Mark("chance", y=90.0)] if setting.quick else (),
    )
    return ExperimentReport(
        NAME,
        "Degradation: a deeper plain net has a higher training error",
        f"Plain nets of growing depth are trained alike. {describe_data(setting)} If deeper nets were only "
        "overfitting, their training error would be lower. The claims are judged by the weights of the last epoch, "
        "scored in evaluation mode over all training and test images.",
        claims(maker, evidence, titles),
        [figure],
        [error_table(evidence, titles, "Errors of the last epoch")],
    )


def claims(maker: ClaimMaker, evidence: Evidence, titles: dict[str, str]) -> list[Claim]:
    """The sentences and what the numbers say of them."""
    train = {f"training error (%), {title}": evidence.errors(label) for label, title in titles.items()}
    test = {f"test error (%), {title}": evidence.errors(label, "test") for label, title in titles.items()}
    pair = ("plain-20", "plain-56")
    return [
        maker.claim(
            "trains-worse",
            "The 56-layer plain net has a higher training error than the 20-layer one, so it is not overfitting.",
            SOURCE,
            TRAINS_WORSE,
            {key: numbers for key, numbers in train.items() if key.endswith(pair)},
        ),
        maker.claim(
            "tests-worse",
            "The 56-layer plain net has a higher test error than the 20-layer one.",
            SOURCE,
            TESTS_WORSE,
            {key: numbers for key, numbers in test.items() if key.endswith(pair)},
        ),
        maker.claim(
            "worse-with-depth",
            "The training error of plain nets grows with their depth.",
            SOURCE,
            WORSE_WITH_DEPTH,
            train,
        ),
    ]


EXPERIMENT = Experiment(
    NAME, "Deeper plain nets train worse", ("quick", "paper"), plan, judge, require_cifar_in_paper
)
