"""What the gates of the trained highway nets do."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from resnet_zoo.analysis import GateStatistics, gate_statistics
from resnet_zoo.data import Digits
from resnet_zoo.experiments.experiment import ClaimMaker, Evidence
from resnet_zoo.experiments.rebuild import load_model
from resnet_zoo.experiments.rules import Rule, mean
from resnet_zoo.experiments.scoring import batches
from resnet_zoo.model import ImageModel
from resnet_zoo.registry import registry
from resnet_zoo.report.figures import Cell, Claim, LineFigure, Mark, Series, Table

SOURCE = "Srivastava et al. 2015, arXiv:1507.06228"
CHANGE = 0.01

STARTS_AT_SIGMOID = Rule(
    "In every seed the transform gate, averaged over layers, units and images before training, differs from "
    "sigmoid(bias) by less than 0.01.",
    lambda expected, found: all(abs(a - b) < 0.01 for a, b in zip(expected, found, strict=True)),
)
TRAINING_MOVES = Rule(
    f"In every seed training changes the mean transform gate of at least one layer by more than {CHANGE:g}.",
    lambda changes: min(changes) > CHANGE,
)
RULES = (STARTS_AT_SIGMOID, TRAINING_MOVES)


@dataclass(frozen=True)
class Gates:
    """The gates of one net from the input on: built anew and untrained, and trained."""

    seed: int
    before: list[GateStatistics]
    after: list[GateStatistics]

    @property
    def largest_change(self) -> float:
        """Of a layer's mean."""
        return max(abs(b.mean - a.mean) for a, b in zip(self.before, self.after, strict=True))


def gates_of(evidence: Evidence, label: str) -> list[Gates]:
    """The gates on the test images, for each seed whose run finished."""
    data = Digits()
    images = [batch for batch, _ in batches(data, "test")]
    found = []
    for seed, checkpoint in evidence.checkpoints(label).items():
        saved = load_model(checkpoint)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            fresh = registry.create(saved.built_by["name"], **saved.built_by["arguments"])
        untrained = ImageModel(fresh, saved.num_classes)
        found.append(Gates(seed, gate_statistics(untrained, images), gate_statistics(saved.model, images)))
    return found


def judge_gates(maker: ClaimMaker, gates: list[Gates]) -> tuple[list[Claim], LineFigure | None, Table | None]:
    """Claims on the gates; figure and table if there are any gates to look at."""
    seeds = len(maker.setting.seeds(in_paper=3))
    claims = [
        maker.claim(
            "gates-start-closed",
            "Before training the transform gates are as open as the sigmoid of their bias says.",
            f"{SOURCE}, section 2.2",
            STARTS_AT_SIGMOID,
            {
                "sigmoid(bias)": [net.before[0].sigmoid_of_bias for net in gates],
                "mean transform gate before training": [mean([g.mean for g in net.before]) for net in gates],
            },
            num_seeds=seeds,
        ),
        maker.claim(
            "training-moves-gates",
            "Training opens and closes gates.",
            f"{SOURCE}, section 5.1",
            TRAINING_MOVES,
            {"largest change of a layer's mean transform gate": [net.largest_change for net in gates]},
            num_seeds=seeds,
        ),
    ]
    return (claims, _figure(gates), _table(gates)) if gates else (claims, None, None)


def _figure(gates: list[Gates]) -> LineFigure:
    depth = len(gates[0].before)
    series = []
    for title, chosen in (
        ("before training", [n.before for n in gates]),
        ("after training", [n.after for n in gates]),
    ):
        layers = [[net[layer].mean for net in chosen] for layer in range(depth)]
        series.append(
            Series(
                title,
                list(range(1, depth + 1)),
                [mean(layer) for layer in layers],
                spread_low=[min(layer) for layer in layers],
                spread_high=[max(layer) for layer in layers],
            )
        )
    return LineFigure(
        "highway-gates",
        f"Transform gates of the {depth} highway layers",
        "highway layer, from the input",
        "mean transform gate",
        series,
        caption="0: the input is carried through, 1: it is transformed. Test images; mean over the seeds, the band "
        "from least to largest.",
        marks=[Mark("sigmoid of the bias", y=gates[0].before[0].sigmoid_of_bias)],
    )


def _table(gates: list[Gates]) -> Table:
    rows: list[list[Cell]] = []
    for net in gates:
        for when, layers in (("before", net.before), ("after", net.after)):
            most = max(layers, key=lambda gate: gate.mean)
            rows.append(
                [
                    net.seed,
                    when,
                    round(mean([gate.mean for gate in layers]), 4),
                    round(100 * mean([gate.share_closed for gate in layers]), 1),
                    round(100 * mean([gate.share_open for gate in layers]), 1),
                    round(most.mean, 4),
                    layers.index(most) + 1,
                ]
            )
    columns = [
        "seed",
        "training",
        "mean gate",
        "closed, below 0.1 (%)",
        "open, above 0.5 (%)",
        "most open layer's mean",
        "which layer",
    ]
    return Table("Transform gates over all layers", columns, rows)
