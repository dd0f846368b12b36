"""ResNets are deeper than VGG and cheaper (He et al. 2015, arXiv:1512.03385, section 3.3 and table 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from resnet_zoo.complexity import Complexity
from resnet_zoo.experiments.experiment import ClaimMaker, Evidence, Experiment
from resnet_zoo.experiments.nets import complexity_of
from resnet_zoo.experiments.rules import Numbers, Rule
from resnet_zoo.experiments.setting import Setting
from resnet_zoo.report.figures import BarFigure, BarGroup, Cell, Claim, ExperimentReport, Table

NAME = "complexity"
SOURCE = "He et al. 2015, arXiv:1512.03385, section 3.3 and table 1"
IMAGE_SIZE, NUM_CLASSES = 224, 1000


@dataclass(frozen=True)
class Row:
    """A net and what the paper says of it.

    Attributes:
        backbone: its name.
        arguments: of its builder.
        paper: billions of multiply-adds in the paper; None where it says nothing.
    """

    backbone: str
    arguments: Mapping[str, str]
    paper: float | None


ROWS: dict[str, Row] = {
    "VGG-16": Row("vgg16", {}, 15.3),
    "VGG-19": Row("vgg19", {}, 19.6),
    "plain-18": Row("plain18", {}, 1.8),
    "plain-34": Row("plain34", {}, 3.6),
    "ResNet-18": Row("resnet18", {"shortcut": "A"}, 1.8),
    "ResNet-34": Row("resnet34", {"shortcut": "A"}, 3.6),
    "ResNet-50": Row("resnet50", {"stride_placement": "1x1"}, 3.8),
    "ResNet-101": Row("resnet101", {"stride_placement": "1x1"}, 7.6),
    "ResNet-152": Row("resnet152", {"stride_placement": "1x1"}, 11.3),
}

A_FIFTH_OF_VGG = Rule(
    "ResNet-34's multiply-adds, divided by VGG-19's, lie between 17.5 % and 19.5 %; the paper says 18 %.",
    lambda vgg, residual: 0.175 <= residual[0] / vgg[0] <= 0.195,
)
LESS_THAN_VGG = Rule(
    "ResNet-152 has fewer multiply-adds than VGG-16.", lambda vgg, residual: residual[0] < vgg[0]
)
FREE = Rule(
    "The plain net and the residual net have the same number of parameters and of multiply-adds.",
    lambda plain, residual: list(plain) == list(residual),
)
AS_PRINTED = Rule(
    "Every net's multiply-adds differ from the paper's by less than 4 %.",
    lambda ours, paper: all(abs(o - p) < 0.04 * p for o, p in zip(ours, paper, strict=True)),
)
RULES = (A_FIFTH_OF_VGG, LESS_THAN_VGG, FREE, AS_PRINTED)


def judge(setting: Setting, evidence: Evidence) -> ExperimentReport:
    """Count and decide."""
    counted = {
        title: complexity_of(row.backbone, dict(row.arguments), IMAGE_SIZE, NUM_CLASSES)
        for title, row in ROWS.items()
    }
    maker = ClaimMaker(setting, NAME, ["Counted from this package's nets, for one image of 224x224 pixels."])
    billions = {title: count.multiply_adds / 1e9 for title, count in counted.items()}
    figure = BarFigure(
        "complexity-multiply-adds",
        "Multiply-adds for one image of 224x224 pixels",
        "multiply-adds (10⁹)",
        list(billions),
        [BarGroup("ours", list(billions.values())), BarGroup("paper", [row.paper for row in ROWS.values()])],
    )
    return ExperimentReport(
        NAME,
        "Complexity: deeper and cheaper than VGG",
        "Parameters and multiply-adds of convolutions and fully connected layers. The deeper ResNets are built here as "
        "in the paper, with the stride in the first layer of a block; the usual variant with the stride in the 3x3 "
        "layer costs a little more.",
        claims(maker, counted),
        [figure],
        [_table(counted)],
    )


def claims(maker: ClaimMaker, counted: Mapping[str, Complexity]) -> list[Claim]:
    """The sentences and what the numbers say of them."""

    def operations(*titles: str) -> dict[str, Numbers]:
        return {f"multiply-adds, {title}": [float(counted[title].multiply_adds)] for title in titles}

    pair = {
        f"parameters and multiply-adds, {title}": [
            float(counted[title].parameters),
            float(counted[title].multiply_adds),
        ]
        for title in ("plain-34", "ResNet-34")
    }
    with_paper = {title: row.paper for title, row in ROWS.items() if row.paper is not None}
    both = {
        "multiply-adds (10⁹), ours": [counted[title].multiply_adds / 1e9 for title in with_paper],
        "multiply-adds (10⁹), paper": list(with_paper.values()),
    }
    return [
        maker.claim(
            "a-fifth-of-vgg",
            "ResNet-34's 3.6 billion multiply-adds are 18 % of VGG-19's 19.6 billion.",
            SOURCE,
            A_FIFTH_OF_VGG,
            operations("VGG-19", "ResNet-34"),
            num_seeds=1,
        ),
        maker.claim(
            "deepest-below-vgg",
            "Even ResNet-152 costs less than VGG-16.",
            "He et al. 2015, arXiv:1512.03385, section 4.1, deeper bottleneck architectures",
            LESS_THAN_VGG,
            operations("VGG-16", "ResNet-152"),
            num_seeds=1,
        ),
        maker.claim(
            "shortcuts-are-free",
            "Identity shortcuts add neither parameters nor computation.",
            "He et al. 2015, arXiv:1512.03385, section 3.2",
            FREE,
            pair,
            num_seeds=2,
        ),
        maker.claim(
            "as-printed",
            "Our nets cost what the paper says.",
            SOURCE,
            AS_PRINTED,
            both,
            num_seeds=len(with_paper),
            remarks=["The order of the numbers: " + ", ".join(with_paper) + "."],
        ),
    ]


def _table(counted: Mapping[str, Complexity]) -> Table:
    rows: list[list[Cell]] = [
        [title, count.parameters, count.multiply_adds, round(count.multiply_adds / 1e9, 2), ROWS[title].paper]
        for title, count in counted.items()
    ]
    columns = [
        "net",
        "parameters",
        "multiply-adds",
        "multiply-adds (10⁹), ours",
        "multiply-adds (10⁹), paper",
    ]
    return Table("What one image costs", columns, rows)


EXPERIMENT = Experiment(NAME, "Multiply-adds and parameters", ("quick", "paper"), lambda setting: [], judge)
