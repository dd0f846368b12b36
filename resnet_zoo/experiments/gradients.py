"""Why depth was hard: what is left of the gradient on its way back through a deep stack.

The stacks are untrained or a few updates old, so this experiment trains no network. Glorot & Bengio 2010 describe the
vanishing gradient; He et al. 2015 (arXiv:1512.03385), section 4.1, say that with batch norm it is not what troubles
their plain nets. What happens at initialisation instead, an explosion, is shown as it is.
"""

from __future__ import annotations

from resnet_zoo.analysis import first_to_last_ratio
from resnet_zoo.experiments.experiment import ClaimMaker, Evidence, Experiment
from resnet_zoo.experiments.gradient_figures import figures, ratio_table
from resnet_zoo.experiments.gradient_stacks import BATCH_SIZE, UPDATES, Measured, measure
from resnet_zoo.experiments.recipes import analysis_data, describe_data, require_cifar_in_paper
from resnet_zoo.experiments.rules import Rule, median
from resnet_zoo.experiments.setting import Setting
from resnet_zoo.report.figures import Claim, ExperimentReport

NAME = "gradients"

VANISHES = Rule(
    "In every seed the first layer's gradient norm, divided by the last layer's, is below 1e-9 at 20 layers.",
    lambda sigmoid: max(sigmoid) < 1e-9,
)
KEEPS = Rule(
    "In every seed the ratio lies between 1/20 and 20, at 20 layers and at 50.",
    lambda at_20, at_50: all(1 / 20 <= ratio <= 20 for ratio in [*at_20, *at_50]),
)
RESCUES = Rule(
    "In every seed the ratio of the sigmoid stack of 20 layers is above 1e-2 with batch norm, and at least a million "
    "times that without.",
    lambda without, with_norm: min(with_norm) > 1e-2 and min(with_norm) >= 1e6 * max(without),
)
EXPLODES = Rule(
    "In every seed the ratio is above 100 at 50 layers, and its median grows from 10 layers to 20 to 50.",
    lambda at_10, at_20, at_50: min(at_50) > 100 and median(at_10) < median(at_20) < median(at_50),
)
TAMES = Rule(
    "At 50 layers the ratio with shortcuts is below 50 in every seed, and below a tenth of that without.",
    lambda without, with_shortcuts: max(with_shortcuts) < 50 and max(with_shortcuts) < min(without) / 10,
)
STAYS = Rule(
    f"In every seed the ratio of the sigmoid stack of 20 layers is still below 1e-9 after {UPDATES} updates.",
    lambda sigmoid: max(sigmoid) < 1e-9,
)
RULES = (VANISHES, KEEPS, RESCUES, EXPLODES, TAMES, STAYS)


def judge(setting: Setting, evidence: Evidence) -> ExperimentReport:
    """Measure and decide."""
    seeds = setting.seeds(in_paper=3)
    measured = measure(analysis_data(setting), seeds)
    maker = ClaimMaker(setting, NAME, [describe_data(setting)])
    return ExperimentReport(
        NAME,
        "Why depth was hard: gradients on their way back",
        "Stacks of equal 3x3 convolutions with 16 channels, untrained, see one batch of "
        f"{BATCH_SIZE} images: {describe_data(setting)} How large is the gradient of each layer's weights, and what do "
        "the nonlinearity, batch norm and shortcuts change? A ratio far below one says that the gradient vanishes on "
        "its way towards the input, far above one that it explodes. Ratios do not tell everything: look at the norms "
        "themselves as well.",
        claims(maker, measured, len(seeds)),
        figures(measured, len(seeds)),
        [ratio_table(measured)],
    )


def claims(maker: ClaimMaker, measured: Measured, num_seeds: int) -> list[Claim]:
    """The sentences and what the numbers say of them."""
    bengio, he = "Glorot & Bengio 2010, section 3", "He et al. 2015, arXiv:1512.03385, section 4.1"
    sigmoid, relu, ratios = "sigmoid", "ReLU, He initialisation", measured.ratios
    plain, residual = "ReLU, batch norm", "ReLU, batch norm, shortcuts"
    at_end = [first_to_last_ratio(updates[-1]) for updates in measured.over_updates[sigmoid]]

    def ratio(case: str, *depths: int) -> dict[str, list[float]]:
        return {f"ratio, {case}, {depth} layers": ratios(case, depth) for depth in depths}

    def claim(name: str, sentence: str, source: str, rule: Rule, numbers: dict[str, list[float]]) -> Claim:
        return maker.claim(name, sentence, source, rule, numbers, num_seeds=num_seeds)

    return [
        claim(
            "sigmoid-vanishes",
            "In a deep stack with sigmoid nonlinearities the gradient vanishes.",
            bengio,
            VANISHES,
            ratio(sigmoid, 20),
        ),
        claim(
            "sigmoid-stays-dead",
            "The first updates do not bring it back.",
            bengio,
            STAYS,
            {f"ratio, sigmoid, 20 layers, after {UPDATES} updates": at_end},
        ),
        claim(
            "relu-keeps",
            "With ReLU and He's initialisation the gradient keeps its size.",
            "He et al. 2015, arXiv:1502.01852, section 2.2",
            KEEPS,
            ratio(relu, 20, 50),
        ),
        claim(
            "batch-norm-rescues-sigmoid",
            "Batch norm rescues even the sigmoid.",
            "Ioffe & Szegedy 2015, arXiv:1502.03167, section 4.2",
            RESCUES,
            ratio(sigmoid, 20) | ratio("sigmoid, batch norm", 20),
        ),
        claim(
            "plain-explodes",
            "The gradients of deep plain ReLU nets with batch norm do not vanish; at initialisation they explode.",
            f"{he}: the plain nets' trouble is unlikely to be vanishing gradients; the explosion is this project's own "
            "observation",
            EXPLODES,
            ratio(plain, 10, 20, 50),
        ),
        claim(
            "shortcuts-tame",
            "Shortcuts tame the explosion.",
            "this project's own observation",
            TAMES,
            ratio(plain, 50) | ratio(residual, 50),
        ),
    ]


EXPERIMENT = Experiment(
    NAME,
    "Gradients of deep stacks at initialisation",
    ("quick", "paper"),
    lambda setting: [],
    judge,
    require_cifar_in_paper,
)
