"""With shortcuts the degradation is gone (He et al. 2015, arXiv:1512.03385, section 4.2 and figure 6)."""

from __future__ import annotations

from resnet_zoo.experiments.experiment import ClaimMaker, Evidence, Experiment
from resnet_zoo.experiments.nets import Net
from resnet_zoo.experiments.plots import error_curves, error_table
from resnet_zoo.experiments.recipes import describe_data, require_cifar_in_paper
from resnet_zoo.experiments.rules import Rule, mean, median
from resnet_zoo.experiments.runs import TrainingRun
from resnet_zoo.experiments.setting import Setting
from resnet_zoo.report.figures import Cell, Claim, ExperimentReport, LineFigure, Table

NAME = "residual"
SOURCE = "He et al. 2015, arXiv:1512.03385, section 4.2 and figure 6 (middle)"
PAPER_ERRORS = {20: 8.75, 32: 7.51, 44: 7.17, 56: 6.97, 110: 6.43}
"""Table 6: test error on CIFAR-10 in percent."""

FAR_BELOW = Rule(
    "In every seed the training error of ResNet-56 is below half of the lowest of plain-56.",
    lambda plain, residual: max(residual) < min(plain) / 2,
)
NOT_WORSE = Rule(
    "The median training error of ResNet-56 exceeds that of ResNet-20 by no more than 3 percentage points.",
    lambda shallow, deep: median(deep) <= median(shallow) + 3.0,
)
DEEPER_IS_BETTER = Rule(
    "The mean test error over the seeds falls from ResNet-20 to ResNet-56.",
    lambda shallow, deep: mean(deep) < mean(shallow),
)
EQUAL = Rule(
    "Each plain net has exactly as many parameters as its residual twin.", lambda a, b: list(a) == list(b)
)
RULES = (FAR_BELOW, NOT_WORSE, DEEPER_IS_BETTER, EQUAL)


def pairs(setting: Setting) -> list[tuple[Net, Net]]:
    """Plain nets and their residual twins."""
    depths = (20, 56) if setting.quick else (20, 32, 44, 56)
    return [(Net("plain", depth), Net("resnet", depth)) for depth in depths]


def plan(setting: Setting) -> list[TrainingRun]:
    """All trainings."""
    return [run for pair in pairs(setting) for net in pair for run in net.runs(setting)]


def judge(setting: Setting, evidence: Evidence) -> ExperimentReport:
    """Decide."""
    nets = [net for kind in zip(*pairs(setting), strict=True) for net in kind]
    titles = {net.label: net.title for net in nets}
    maker = ClaimMaker(setting, NAME, [describe_data(setting), *evidence.remarks()])
    caption = (
        "Thin: training error, on augmented images as it was met. Bold: error on held-out images. Mean over the seeds, "
        "the band from least to largest."
    )
    figures = [
        LineFigure(
            f"residual-errors-{kind}",
            f"{name} nets",
            "epoch",
            "error (%)",
            error_curves(evidence, {net.label: net.title for net in nets if net.kind == kind}),
            caption=caption,
        )
        for kind, name in (("plain", "Plain"), ("resnet", "Residual"))
    ]
    return ExperimentReport(
        NAME,
        "Residual learning: the degradation is gone",
        "The nets of the experiment on degradation, and the same with an identity shortcut (option A, no parameters) "
        f"around every two layers, trained alike. {describe_data(setting)}",
        claims(maker, setting, evidence),
        figures,
        [parameter_table(setting), error_table(evidence, titles, "Errors of the last epoch")],
    )


def claims(maker: ClaimMaker, setting: Setting, evidence: Evidence) -> list[Claim]:
    """The sentences and what the numbers say of them."""
    found = [
        maker.claim(
            "far-below-plain",
            "With shortcuts the 56-layer net trains to a far lower training error than without.",
            SOURCE,
            FAR_BELOW,
            {f"training error (%), {name}-56": evidence.errors(f"{kind}56") for kind, name in KINDS.items()},
        ),
        maker.claim(
            "no-degradation",
            "ResNet-56 no longer trains clearly worse than ResNet-20.",
            SOURCE,
            NOT_WORSE,
            {f"training error (%), ResNet-{depth}": evidence.errors(f"resnet{depth}") for depth in (20, 56)},
        ),
        parameters_equal(maker, setting),
    ]
    test = {
        f"test error (%), ResNet-{depth}": evidence.errors(f"resnet{depth}", "test") for depth in (20, 56)
    }
    sentence = "The deeper residual net is the better one: ResNet-56 tests better than ResNet-20."
    source = "He et al. 2015, arXiv:1512.03385, table 6 (8.75 and 6.97 % on CIFAR-10)"
    if setting.quick:
        why = (
            "Judged in the preset paper only: on the digits, in ten epochs, the deeper net merely matches the "
            "shallower one."
        )
        return [*found, maker.not_judged("deeper-is-better", sentence, source, test, why)]
    return [*found, maker.claim("deeper-is-better", sentence, source, DEEPER_IS_BETTER, test)]


KINDS = {"plain": "plain", "resnet": "ResNet"}


def parameters_equal(maker: ClaimMaker, setting: Setting) -> Claim:
    """The comparison is fair."""
    counts = [
        [float(net.complexity(setting).parameters) for net in kind]
        for kind in zip(*pairs(setting), strict=True)
    ]
    return maker.claim(
        "equal-parameters",
        "Each residual net has exactly as many parameters as its plain twin, so the comparison is fair.",
        "He et al. 2015, arXiv:1512.03385, section 3.2",
        EQUAL,
        {"parameters of the plain nets": counts[0], "parameters of the ResNets": counts[1]},
        num_seeds=len(pairs(setting)),
    )


def parameter_table(setting: Setting) -> Table:
    """Parameters and multiply-adds of each pair."""
    rows: list[list[Cell]] = []
    for pair in pairs(setting):
        for net in pair:
            counted = net.complexity(setting)
            rows.append([net.title, counted.parameters, counted.multiply_adds])
    return Table("What the nets cost", ["net", "parameters", "multiply-adds for an image"], rows)


EXPERIMENT = Experiment(
    NAME, "Shortcuts end the degradation", ("quick", "paper"), plan, judge, require_cifar_in_paper
)
