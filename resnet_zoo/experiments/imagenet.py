"""ImageNet: tables 2 to 5 of He et al. 2015 (arXiv:1512.03385), by the paper's own ways of testing."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from resnet_zoo.experiments.experiment import ClaimMaker, Evidence, Experiment
from resnet_zoo.experiments.recipes import imagenet_run, require_imagenet
from resnet_zoo.experiments.rules import Rule, mean
from resnet_zoo.experiments.runs import EvaluationRun, TrainingRun
from resnet_zoo.experiments.setting import Setting
from resnet_zoo.report.figures import Cell, Claim, ExperimentReport, Table

NAME = "imagenet"
PAPER = "He et al. 2015, arXiv:1512.03385"


class Net(NamedTuple):
    """A net and the paper's top-1/top-5 errors in percent; None where it has none.

    Attributes:
        title: in the tables.
        config: shipped config whose protocol it follows.
        backbone: its name.
        arguments: of its builder.
        ten_crop: tables 2 and 3.
        multi_scale: table 4.
    """

    title: str
    config: str
    backbone: str
    arguments: dict[str, str]
    ten_crop: tuple[float, float | None] | None
    multi_scale: tuple[float, float] | None


NETS: dict[str, Net] = {
    "plain18": Net("plain-18", "plain34_imagenet", "plain18", {}, (27.94, None), None),
    "plain34": Net("plain-34", "plain34_imagenet", "plain34", {}, (28.54, 10.02), None),
    "resnet18-A": Net("ResNet-18 A", "r18_imagenet", "resnet18", {"shortcut": "A"}, (27.88, None), None),
    "resnet34-A": Net("ResNet-34 A", "r34_imagenet", "resnet34", {"shortcut": "A"}, (25.03, 7.76), None),
    "resnet34-B": Net(
        "ResNet-34 B", "r34_imagenet", "resnet34", {"shortcut": "B"}, (24.52, 7.46), (21.84, 5.71)
    ),
    "resnet34-C": Net(
        "ResNet-34 C", "r34_imagenet", "resnet34", {"shortcut": "C"}, (24.19, 7.40), (21.53, 5.60)
    ),
    "resnet50": Net("ResNet-50", "r50_imagenet", "resnet50", {}, (22.85, 6.71), (20.74, 5.25)),
    "resnet101": Net("ResNet-101", "r101_imagenet", "resnet101", {}, (21.75, 6.05), (19.87, 4.60)),
    "resnet152": Net("ResNet-152", "r152_imagenet", "resnet152", {}, (21.43, 5.71), (19.38, 4.49)),
}
DEEPER = ("resnet34-B", "resnet50", "resnet101", "resnet152")
ENSEMBLE = "ensemble"
PAPER_ENSEMBLE_TOP5 = 3.57
"""Table 5: top-5 error in percent of six models on the test set, whose labels are not public."""

PLAIN_DEGRADES = Rule(
    "The top-1 error of plain-34 is above that of plain-18.", lambda p18, p34: mean(p34) > mean(p18)
)
RESIDUAL_GAINS = Rule(
    "The top-1 error of ResNet-34 is below that of ResNet-18, and at least 2 percentage points below that of plain-34.",
    lambda r18, r34, p34: mean(r34) < mean(r18) and mean(r34) <= mean(p34) - 2.0,
)
PROJECTIONS_HELP_A_LITTLE = Rule(
    "The top-1 error falls from option A to B and from B to C, from A to C by less than 2 percentage points.",
    lambda a, b, c: mean(a) > mean(b) > mean(c) > mean(a) - 2.0,
)
FALLS_WITH_DEPTH = Rule(
    "The top-1 error falls from each depth to the next.",
    lambda *by_depth: all(mean(deep) < mean(shallow) for shallow, deep in pairwise(by_depth)),
)
TOGETHER_BETTER = Rule(
    "The top-5 error of the ensemble is below that of each of its members.",
    lambda ensemble, *members: all(mean(ensemble) < mean(member) for member in members),
)
RULES = (PLAIN_DEGRADES, RESIDUAL_GAINS, PROJECTIONS_HELP_A_LITTLE, FALLS_WITH_DEPTH, TOGETHER_BETTER)


def plan(setting: Setting) -> list[TrainingRun]:
    """All trainings."""
    return [run for label in NETS for run in _trainings(setting, label)]


def _trainings(setting: Setting, label: str) -> list[TrainingRun]:
    net = NETS[label]
    return [
        imagenet_run(setting, label, seed, net.config, net.backbone, net.arguments)
        for seed in setting.seeds()
    ]


def tests(setting: Setting) -> list[EvaluationRun]:
    """Ten crops for tables 2 and 3, several scales for table 4, all deeper nets together for table 5."""
    found = []
    for label, net in NETS.items():
        for training in _trainings(setting, label):
            found.append(EvaluationRun(label, (training,), "center"))
            if net.ten_crop:
                found.append(EvaluationRun(label, (training,), "ten_crop", cost=10))
            if net.multi_scale:
                found.append(EvaluationRun(label, (training,), "multi_scale", cost=20))
    together = zip(*(_trainings(setting, label) for label in DEEPER), strict=True)
    return [*found, *(EvaluationRun(ENSEMBLE, members, "multi_scale", cost=80) for members in together)]


def judge(setting: Setting, evidence: Evidence) -> ExperimentReport:
    """Decide."""
    remarks = ["ImageNet-1k, tested on the 50,000 validation images, as the paper does.", *evidence.remarks()]
    maker = ClaimMaker(setting, NAME, remarks)
    return ExperimentReport(
        NAME,
        "ImageNet: ours and the paper's tables 2 to 5",
        "Trained by the shipped configs, whose headers say where they differ from the paper (the rate falls at fixed "
        "epochs instead of on a plateau, random resized crops). Tested as in the paper: ten crops (tables 2 and 3), "
        "and fully convolutionally at shorter sides of 224, 256, 384, 480 and 640 pixels (tables 4 and 5).",
        claims(maker, evidence),
        [],
        tables(evidence),
    )


def claims(maker: ClaimMaker, evidence: Evidence) -> list[Claim]:
    """The sentences and what the numbers say of them."""

    def top1(protocol: str, *labels: str) -> dict[str, list[float]]:
        return {
            f"top-1 error (%), {NETS[label].title}": _errors(evidence, label, protocol) for label in labels
        }

    def claim(name: str, sentence: str, where: str, rule: Rule, measured: dict[str, list[float]]) -> Claim:
        return maker.claim(name, sentence, f"{PAPER}, {where}", rule, measured)

    members = {
        f"top-5 error (%), {title}": _errors(evidence, label, "multi_scale", top=5)
        for label, title in {ENSEMBLE: ENSEMBLE, **{label: NETS[label].title for label in DEEPER}}.items()
    }
    return [
        claim(
            "plain-degrades",
            "The plain net of 34 layers is worse than that of 18.",
            "table 2",
            PLAIN_DEGRADES,
            top1("ten_crop", "plain18", "plain34"),
        ),
        claim(
            "residual-gains",
            "The residual net of 34 layers is better than that of 18 and than the plain one.",
            "table 2",
            RESIDUAL_GAINS,
            top1("ten_crop", "resnet18-A", "resnet34-A", "plain34"),
        ),
        claim(
            "projections",
            "Projection shortcuts are slightly better than identities, and not essential.",
            "table 3",
            PROJECTIONS_HELP_A_LITTLE,
            top1("ten_crop", "resnet34-A", "resnet34-B", "resnet34-C"),
        ),
        claim(
            "depth-ten-crop",
            "From 34 layers to 152 the error falls.",
            "table 3",
            FALLS_WITH_DEPTH,
            top1("ten_crop", *DEEPER),
        ),
        claim(
            "depth-multi-scale",
            "From 34 layers to 152 the error falls, tested at several scales as well.",
            "table 4",
            FALLS_WITH_DEPTH,
            top1("multi_scale", *DEEPER),
        ),
        claim(
            "ensemble",
            "Nets of several depths together are better than each.",
            "table 5",
            TOGETHER_BETTER,
            members,
        ),
    ]


def _errors(evidence: Evidence, label: str, protocol: str, top: int = 1) -> list[float]:
    results = evidence.tested(label, protocol)
    accuracies = [result.top1 if top == 1 else result.top5 for result in results]
    return [100.0 - accuracy for accuracy in accuracies if accuracy is not None]


def tables(evidence: Evidence) -> list[Table]:
    """Tables 2 and 3, 4, and 5, ours and the paper's."""
    ten_crop = [
        _row(evidence, label, net.title, "ten_crop", net.ten_crop)
        for label, net in NETS.items()
        if net.ten_crop
    ]
    several = [
        _row(evidence, label, net.title, "multi_scale", net.multi_scale)
        for label, net in NETS.items()
        if net.multi_scale
    ]
    together = _row(
        evidence, ENSEMBLE, " + ".join(NETS[label].title for label in DEEPER), "multi_scale", None
    )
    errors = [f"top-{top} error (%), {whose}" for whose in ("ours", "paper") for top in (1, 5)]
    columns = ["net", *errors]
    return [
        Table("Ten crops (tables 2 and 3)", columns, ten_crop),
        Table("Several scales (table 4)", columns, several),
        Table(
            "Ensemble (table 5)",
            columns,
            [[*together[:-1], PAPER_ENSEMBLE_TOP5]],
            "Ours of four models on the validation images, the paper's of six on the test images.",
        ),
    ]


def _row(
    evidence: Evidence, label: str, title: str, protocol: str, paper: tuple[float, float | None] | None
) -> list[Cell]:
    ours = [_errors(evidence, label, protocol, top) for top in (1, 5)]
    shown: list[Cell] = [round(mean(errors), 2) if errors else None for errors in ours]
    return [title, *shown, *(paper or (None, None))]


EXPERIMENT = Experiment(NAME, "Tables 2 to 5 on ImageNet", ("paper",), plan, judge, require_imagenet, tests)
