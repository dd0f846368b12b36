"""Gates train where plain nets fail (Srivastava et al. 2015, arXiv:1507.06228, sections 3.1 and 3.3)."""

from __future__ import annotations

from resnet_zoo.experiments.experiment import ClaimMaker, Evidence, Experiment
from resnet_zoo.experiments.highway_gates import gates_of, judge_gates
from resnet_zoo.experiments.highway_nets import (
    CONV_DEPTH,
    DEPTHS,
    GATED_DEPTH,
    SHALLOW_BIAS,
    all_runs,
    conv_titles,
    fc_titles,
    residual_titles,
)
from resnet_zoo.experiments.plots import best_and_spread, error_curves, listed, spread
from resnet_zoo.experiments.recipes import describe_data, require_cifar_in_paper
from resnet_zoo.experiments.rules import Rule, mean
from resnet_zoo.experiments.setting import OTHER_SEEDS, Setting
from resnet_zoo.report.figures import Cell, Claim, ExperimentReport, LineFigure, Series, Table

NAME = "highway"
SOURCE = "Srivastava et al. 2015, arXiv:1507.06228"
CHANGED = (
    "Learning rates were chosen with results of seeds 0 to 2 in view, and the convolutional nets were changed after a "
    "first version had failed with them: without clipped gradients highway nets of 30 layers had 8 to 77 % training "
    "error. The rate that both have is the one at which the plain twin trained best among five, clipped or not. "
    f"{OTHER_SEEDS}"
)
CHANCE = 100.0
"""Training error of a run that diverged: a net that answers NaN answers nothing right."""
PAPER_CIFAR = {"highway19": "7.54 (7.72 ± 0.16)", "highway32": "8.80"}
"""Test error on CIFAR-10 in percent: He et al. 2015 (arXiv:1512.03385), table 6, after Srivastava et al."""

TRAINS_WHERE_PLAIN_FAILS = Rule(
    "At 50 layers and at 100 the highest training error of the highway nets over all seeds is below half of the lowest "
    "of the plain nets. A plain net that diverged counts as 100 %.",
    lambda plain_50, highway_50, plain_100, highway_100: (
        max(highway_50) < min(plain_50) / 2 and max(highway_100) < min(plain_100) / 2
    ),
)
NOT_WORSE_WITH_DEPTH = Rule(
    "The mean training error of the highway nets of 100 layers exceeds that of 10 layers by no more than 5 percentage "
    "points.",
    lambda at_10, at_100: mean(at_100) <= mean(at_10) + 5.0,
)
CONVOLUTIONAL = Rule(
    f"The highest training error of the convolutional highway nets of {CONV_DEPTH} layers over all seeds is below half "
    "of the lowest of their plain twins. A plain net that diverged counts as 100 %.",
    lambda plain, highway: max(highway) < min(plain) / 2,
)
BIAS_MATTERS = Rule(
    f"At {GATED_DEPTH} layers every net that starts with a carry bias of {SHALLOW_BIAS:g} has a training error above "
    "50 %, every net with the deeper bias one below 20 %. A net with the shallow bias that diverged counts as 100 %.",
    lambda shallow_bias, deep_bias: min(shallow_bias) > 50 and max(deep_bias) < 20,
)
BETTER_THAN_PLAIN_TWIN = Rule(
    "The mean test error over the seeds of the highway net is below that of its plain twin, at 19 layers and at 32.",
    lambda plain_19, highway_19, plain_32, highway_32: (
        mean(highway_19) < mean(plain_19) and mean(highway_32) < mean(plain_32)
    ),
)
RULES = (
    TRAINS_WHERE_PLAIN_FAILS,
    NOT_WORSE_WITH_DEPTH,
    CONVOLUTIONAL,
    BIAS_MATTERS,
    BETTER_THAN_PLAIN_TWIN,
)


def judge(setting: Setting, evidence: Evidence) -> ExperimentReport:
    """Decide."""
    remarks = [
        "The fully connected nets are trained on the 8x8 digits in both presets; the paper's study is on MNIST, where "
        "plain nets of 10 and 20 layers train well and those of 50 and 100 do not.",
        describe_data(setting),
        *evidence.remarks(),
    ]
    if setting.quick:
        remarks.append(CHANGED)
    maker = ClaimMaker(setting, NAME, remarks)
    gates = gates_of(evidence, f"highway{GATED_DEPTH}")
    gate_claims, gate_figure, gate_table = judge_gates(maker, gates)
    titles = {**fc_titles(), **conv_titles(setting), **residual_titles(setting)}
    convolutional = conv_claim(maker, evidence) if setting.quick else cifar_claim(maker, evidence)
    return ExperimentReport(
        NAME,
        "Highway networks: learned gates against depth",
        "Fully connected nets as in the paper, about 5,000 parameters a layer (71 units plain, 50 with gates), and "
        "convolutional ones, no batch norm in either. For the plain nets the nonlinearity and learning rate that "
        "trained best at their depth were chosen; all highway nets have the same. Residual nets of the same or the "
        "nearest depth stand beside them: convolutional, with batch norm.",
        [*fc_claims(maker, evidence), convolutional, bias_claim(maker, evidence), *gate_claims],
        [
            depth_figure(evidence),
            LineFigure(
                "highway-errors-50",
                f"{GATED_DEPTH} layers, fully connected",
                "epoch",
                "error (%)",
                error_curves(
                    evidence,
                    {
                        f"plain{GATED_DEPTH}fc": "plain",
                        f"highway{GATED_DEPTH}": "highway",
                        f"highway{GATED_DEPTH}-shallow-bias": f"highway, carry bias {SHALLOW_BIAS:g}",
                    },
                ),
                caption="Thin: training error, bold: test error. Mean over the seeds, the band from least to largest.",
            ),
            *([gate_figure] if gate_figure else []),
        ],
        [table(evidence, titles), *([gate_table] if gate_table else [])],
    )


def fc_claims(maker: ClaimMaker, evidence: Evidence) -> list[Claim]:
    """Depth and the fully connected nets."""
    seeds = len(maker.setting.seeds(in_paper=3))
    plain = {depth: evidence.errors(f"plain{depth}fc", diverged=CHANCE) for depth in DEPTHS}
    highway = {depth: evidence.errors(f"highway{depth}") for depth in DEPTHS}
    by_depth = {
        f"training error (%), {kind}, {depth} layers": errors[depth]
        for depth in DEPTHS
        for kind, errors in (("plain", plain), ("highway", highway))
    }
    deep = {key: numbers for key, numbers in by_depth.items() if key.endswith((" 50 layers", " 100 layers"))}
    ends = {
        f"training error (%), highway, {depth} layers": highway[depth] for depth in (DEPTHS[0], DEPTHS[-1])
    }
    return [
        maker.claim(
            "trains-where-plain-fails",
            "At 50 and 100 layers highway networks train and plain ones do not.",
            f"{SOURCE}, section 3.1 and figure 1",
            TRAINS_WHERE_PLAIN_FAILS,
            deep,
            num_seeds=seeds,
            also={key: numbers for key, numbers in by_depth.items() if key not in deep},
        ),
        maker.claim(
            "depth-costs-nothing",
            "Highway networks of 100 layers train about as well as those of 10.",
            f"{SOURCE}, section 3.1 and figure 1",
            NOT_WORSE_WITH_DEPTH,
            ends,
            num_seeds=seeds,
        ),
    ]


def bias_claim(maker: ClaimMaker, evidence: Evidence) -> Claim:
    """The carry bias must fall with depth."""
    label = f"highway{GATED_DEPTH}"
    return maker.claim(
        "carry-bias-follows-depth",
        f"The carry bias must be more negative in deeper nets: what suits 10 layers fails at {GATED_DEPTH}.",
        f"{SOURCE}, section 2.2 (-1, -2, -3 for about 10, 20, 30 layers)",
        BIAS_MATTERS,
        {
            f"training error (%), carry bias {SHALLOW_BIAS:g}": evidence.errors(
                f"{label}-shallow-bias", diverged=CHANCE
            ),
            f"training error (%), carry bias {-GATED_DEPTH / 10:g}": evidence.errors(label),
        },
        num_seeds=len(maker.setting.seeds(in_paper=3)),
    )


def conv_claim(maker: ClaimMaker, evidence: Evidence) -> Claim:
    """The convolutional nets on digits."""
    return maker.claim(
        "convolutional",
        "The same holds for convolutional nets.",
        f"{SOURCE}, section 3.3",
        CONVOLUTIONAL,
        {
            f"training error (%), plain, {CONV_DEPTH} layers": evidence.errors("plain-conv", diverged=CHANCE),
            f"training error (%), highway, {CONV_DEPTH} layers": evidence.errors("highway-conv"),
        },
    )


def cifar_claim(maker: ClaimMaker, evidence: Evidence) -> Claim:
    """The paper's convolutional nets on CIFAR-10."""
    measured = {
        f"test error (%), {kind}, {depth} layers": evidence.errors(
            f"{kind}{depth}-cifar", "test", diverged=CHANCE
        )
        for depth in (19, 32)
        for kind in ("plain", "highway")
    }
    return maker.claim(
        "convolutional",
        "The paper's convolutional highway nets test better on CIFAR-10 than the same nets without gates.",
        f"{SOURCE}, section 3.3 and table 2",
        BETTER_THAN_PLAIN_TWIN,
        measured,
        num_seeds=len(maker.setting.seeds(in_paper=5)),
    )


def depth_figure(evidence: Evidence) -> LineFigure:
    """Training error against depth."""
    series = []
    for title, suffix in (("plain", "fc"), ("highway", "")):
        found = {depth: evidence.errors(f"{title}{depth}{suffix}", diverged=CHANCE) for depth in DEPTHS}
        present = {depth: errors for depth, errors in found.items() if errors}
        if present:
            values = list(present.values())
            series.append(
                Series(
                    title,
                    list(present),
                    [mean(errors) for errors in values],
                    spread_low=[min(errors) for errors in values],
                    spread_high=[max(errors) for errors in values],
                )
            )
    return LineFigure(
        "highway-depth",
        "Fully connected nets: who still trains when it gets deep",
        "layers",
        "training error (%)",
        series,
        caption="Last epoch; mean over the seeds, the band from least to largest.",
    )


def table(evidence: Evidence, titles: dict[str, str]) -> Table:
    """All nets."""
    rows: list[list[Cell]] = []
    for label, title in titles.items():
        train, test = evidence.errors(label, diverged=CHANCE), evidence.errors(label, "test", diverged=CHANCE)
        paper = PAPER_CIFAR.get(label.removesuffix("-cifar")) if label.endswith("-cifar") else None
        rows.append([title, listed(train), spread(train), best_and_spread(test), paper])
    columns = [
        "net",
        "training error (%), each seed",
        "mean ± std",
        "test error (%), best (mean ± std), ours",
        "paper, CIFAR-10",
    ]
    return Table("Errors of the last epoch", columns, rows)


EXPERIMENT = Experiment(NAME, "Highway networks", ("quick", "paper"), all_runs, judge, require_cifar_in_paper)
