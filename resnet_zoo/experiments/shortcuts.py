"""Do the shortcuts need parameters? Options A, B and C (He et al. 2015, arXiv:1512.03385, section 4.1 and table 3)."""

from __future__ import annotations

from resnet_zoo.experiments.experiment import ClaimMaker, Evidence, Experiment
from resnet_zoo.experiments.nets import Net
from resnet_zoo.experiments.plots import error_curves, spread
from resnet_zoo.experiments.recipes import describe_data, require_cifar_in_paper
from resnet_zoo.experiments.rules import Rule, mean, median
from resnet_zoo.experiments.runs import TrainingRun
from resnet_zoo.experiments.setting import Setting
from resnet_zoo.report.figures import Cell, ExperimentReport, LineFigure, Table

NAME = "shortcuts"
SOURCE = "He et al. 2015, arXiv:1512.03385, section 4.1 and table 3 (there: ResNet-34 on ImageNet)"
DEPTH = 56
OPTIONS = {
    "A": "identity, padded with zeros where the shape changes",
    "B": "1x1 convolution where the shape changes",
    "C": "1x1 convolution everywhere",
}
PAPER_TOP1 = {"plain": 28.54, "A": 25.03, "B": 24.52, "C": 24.19}
"""Table 3: top-1 error on ImageNet (10-crop) of plain-34 and ResNet-34, in percent."""

ALL_BEAT_PLAIN = Rule(
    "In every seed the training error with each option is below half of the lowest without shortcuts.",
    lambda plain, *options: all(max(option) < min(plain) / 2 for option in options),
)
SMALL_DIFFERENCES = Rule(
    "The median training errors of the three options differ by less than a tenth of what any of them gains over the "
    "plain net.",
    lambda plain, *options: (
        max(map(median, options)) - min(map(median, options))
        < 0.1 * (median(plain) - max(map(median, options)))
    ),
)
PROJECTIONS_HELP_A_LITTLE = Rule(
    "The mean test error over the seeds falls from A to B or from A to C.",
    lambda a, b, c: min(mean(b), mean(c)) < mean(a),
)
RULES = (ALL_BEAT_PLAIN, SMALL_DIFFERENCES, PROJECTIONS_HELP_A_LITTLE)


def nets() -> dict[str, Net]:
    """The plain net and the residual ones, by option."""
    return {"plain": Net("plain", DEPTH), **{option: Net("resnet", DEPTH, option) for option in OPTIONS}}


def plan(setting: Setting) -> list[TrainingRun]:
    """All trainings."""
    return [run for net in nets().values() for run in net.runs(setting)]


def judge(setting: Setting, evidence: Evidence) -> ExperimentReport:
    """Decide."""
    maker = ClaimMaker(setting, NAME, [describe_data(setting), *evidence.remarks()])
    train = {f"training error (%), {net.title}": evidence.errors(net.label) for net in nets().values()}
    test = {
        f"test error (%), option {option}": evidence.errors(net.label, "test")
        for option, net in nets().items()
        if option in OPTIONS
    }
    claims = [
        maker.claim(
            "all-options-work",
            "All three kinds of shortcuts are far better than none.",
            SOURCE,
            ALL_BEAT_PLAIN,
            train,
        ),
        maker.claim(
            "projections-not-essential",
            "The differences among A, B and C are small: projections are not essential against degradation.",
            SOURCE,
            SMALL_DIFFERENCES,
            train,
        ),
    ]
    sentence = "Projections are slightly better than padded identities."
    if setting.quick:
        why = "Judged in the preset paper only: on the digits every option fits nearly all images."
        claims.append(maker.not_judged("projections-slightly-better", sentence, SOURCE, test, why))
    else:
        claims.append(
            maker.claim("projections-slightly-better", sentence, SOURCE, PROJECTIONS_HELP_A_LITTLE, test)
        )
    titles = {net.label: net.title for net in nets().values()}
    figure = LineFigure(
        "shortcuts-errors",
        f"Shortcut options at {DEPTH} layers",
        "epoch",
        "error (%)",
        error_curves(evidence, titles),
        caption="Thin: training error, bold: error on held-out images; mean over the seeds, the band from least to "
        "largest.",
    )
    return ExperimentReport(
        NAME,
        "Shortcut options A, B and C",
        "What happens around a block where its shape changes, and elsewhere: padded identities (A), projections where "
        f"the shape changes (B), projections everywhere (C). {describe_data(setting)}",
        claims,
        [figure],
        [_table(setting, evidence)],
    )


def _table(setting: Setting, evidence: Evidence) -> Table:
    rows: list[list[Cell]] = []
    for option, net in nets().items():
        rows.append(
            [
                "none" if option == "plain" else f"{option}: {OPTIONS[option]}",
                net.complexity(setting).parameters,
                spread(evidence.errors(net.label)),
                spread(evidence.errors(net.label, "test")),
                PAPER_TOP1[option],
            ]
        )
    columns = [
        "shortcut",
        "parameters, ours",
        f"training error (%), {DEPTH} layers, ours",
        f"test error (%), {DEPTH} layers, ours",
        "top-1 error (%), 34 layers on ImageNet, paper",
    ]
    return Table(
        "Ours and the paper's, which are of different nets on different data",
        columns,
        rows,
        "Mean ± standard deviation.",
    )


EXPERIMENT = Experiment(
    NAME, "Identity or projection shortcuts", ("quick", "paper"), plan, judge, require_cifar_in_paper
)
