"""The nets of the experiment on highway networks, and how they are trained."""

from __future__ import annotations

from typing import Any

from resnet_zoo.experiments.nets import Net
from resnet_zoo.experiments.recipes import on_cifar, on_digits
from resnet_zoo.experiments.runs import TrainingRun
from resnet_zoo.experiments.setting import Setting

DEPTHS = (10, 20, 50, 100)
"""Srivastava et al. 2015 (arXiv:1507.06228), section 3.1."""

GATED_DEPTH = 50
"""Where gates are looked at and biases compared."""

SHALLOW_BIAS = -1.0
"""The paper's guideline for about 10 layers; the builder's own choice is a tenth of the depth."""

HIGHWAY_RATE = 0.1
PLAIN_RATES = {10: 0.03, 20: 0.03, 50: 0.01, 100: 0.003}
"""The best for plain nets of each depth among 0.1, 0.03, 0.01 and 0.003, with tanh, which trained better than ReLU."""

CONV_DEPTH, CONV_WIDTH = 20, 8
CONV_RATE, CONV_CLIP = 0.1, 1.0
"""Of both convolutional nets. The plain twin's best rate among 0.3, 0.1, 0.03, 0.01 and 0.003, with clipped gradients
and without, by the mean training error of seeds 0 to 2: it is given its best, and the highway net takes the same."""

RESIDUAL_DEPTHS = {"quick": (8, 20, 56), "paper": (20, 32)}
"""Depths of the form 6n + 2 near those of the highway nets; the preset quick shares its runs with other experiments."""

CIFAR_DEPTHS = (19, 32)


def all_runs(setting: Setting) -> list[TrainingRun]:
    """All trainings."""
    runs = fully_connected(setting)
    runs += convolutional(setting) if setting.quick else on_cifar_10(setting)
    for depth in RESIDUAL_DEPTHS[setting.preset]:
        runs += Net("resnet", depth).runs(setting)
    return runs


def fully_connected(setting: Setting) -> list[TrainingRun]:
    """Plain and highway nets of all depths, and one depth again with a bias meant for shallow nets."""
    runs = []
    for seed in setting.seeds(in_paper=3):
        for depth in DEPTHS:
            size: dict[str, Any] = {"depth": depth, "image_size": 8}
            runs += [
                on_digits(
                    f"plain{depth}fc",
                    seed,
                    "plain_mlp",
                    {**size, "activation": "tanh"},
                    learning_rate=PLAIN_RATES[depth],
                    cost=depth * 0.3,
                ),
                on_digits(
                    f"highway{depth}", seed, "highway_mlp", size, learning_rate=HIGHWAY_RATE, cost=depth * 0.5
                ),
            ]
        runs.append(
            on_digits(
                f"highway{GATED_DEPTH}-shallow-bias",
                seed,
                "highway_mlp",
                {"depth": GATED_DEPTH, "image_size": 8, "carry_bias": SHALLOW_BIAS},
                learning_rate=HIGHWAY_RATE,
                cost=GATED_DEPTH * 0.5,
            )
        )
    return runs


def convolutional(setting: Setting) -> list[TrainingRun]:
    """A narrow convolutional highway net on the digits and its plain twin, with the clipping of the shipped config."""
    size: dict[str, Any] = {"depth": CONV_DEPTH, "width": CONV_WIDTH, "dropout": 0.0}
    nets: dict[str, tuple[str, dict[str, Any]]] = {
        "highway-conv": ("highway_cifar", size),
        "plain-conv": ("plain_highway_cifar", {**size, "initialization": "he"}),
    }
    return [
        on_digits(
            label,
            seed,
            backbone,
            arguments,
            learning_rate=CONV_RATE,
            trainer={"gradient_clip_val": CONV_CLIP},
            cost=CONV_DEPTH,
        )
        for label, (backbone, arguments) in nets.items()
        for seed in setting.seeds()
    ]


def on_cifar_10(setting: Setting) -> list[TrainingRun]:
    """The paper's convolutional nets and their plain twins."""
    names = {"highway": "highway{}_cifar", "plain": "plain_highway{}_cifar"}
    return [
        on_cifar(setting, f"{kind}{depth}-cifar", seed, "highway19_cifar10", name.format(depth))
        for depth in CIFAR_DEPTHS
        for kind, name in names.items()
        for seed in setting.seeds(in_paper=5)
    ]


def fc_titles() -> dict[str, str]:
    """Label -> title of the fully connected nets."""
    titles = {}
    for depth in DEPTHS:
        titles[f"plain{depth}fc"] = f"plain, fully connected, {depth} layers"
        titles[f"highway{depth}"] = f"highway, fully connected, {depth} layers"
    titles[f"highway{GATED_DEPTH}-shallow-bias"] = (
        f"highway, fully connected, {GATED_DEPTH} layers, carry bias {SHALLOW_BIAS:g}"
    )
    return titles


def conv_titles(setting: Setting) -> dict[str, str]:
    """Label -> title of the convolutional nets."""
    if setting.quick:
        return {
            f"{kind}-conv": f"{kind}, convolutional, {CONV_DEPTH} layers" for kind in ("plain", "highway")
        }
    return {
        f"{kind}{depth}-cifar": f"{kind}, convolutional, {depth} layers, CIFAR-10"
        for depth in CIFAR_DEPTHS
        for kind in ("plain", "highway")
    }


def residual_titles(setting: Setting) -> dict[str, str]:
    """Label -> title of the residual nets."""
    nets = [Net("resnet", depth) for depth in RESIDUAL_DEPTHS[setting.preset]]
    return {net.label: f"residual, convolutional, {net.depth} layers" for net in nets}
