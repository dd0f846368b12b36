"""The experiments by name. Standard library only, so that listing them imports nothing heavy."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple

from resnet_zoo.errors import InvalidValue, nearest_names, unknown_name
from resnet_zoo.experiments.setting import PRESETS, Preset

if TYPE_CHECKING:
    from resnet_zoo.experiments.experiment import Experiment


class Entry(NamedTuple):
    """One line of the list.

    Attributes:
        module: file of this folder.
        presets: those the experiment has.
        question: what it asks.
    """

    module: str
    presets: tuple[Preset, ...]
    question: str


CATALOGUE: dict[str, Entry] = {
    "gradients": Entry(
        "gradients", PRESETS, "Why was depth hard: does the gradient vanish or explode, and what helps?"
    ),
    "degradation": Entry("degradation", PRESETS, "Does a deeper plain net have a higher training error?"),
    "constructed": Entry(
        "constructed", PRESETS, "Is there a deeper plain net that is no worse, and does training find it?"
    ),
    "residual": Entry(
        "residual", PRESETS, "Do shortcuts end the degradation, at equal numbers of parameters?"
    ),
    "identity": Entry("identity", PRESETS, "Is the identity hard to learn for layers without a shortcut?"),
    "responses": Entry("responses", PRESETS, "Are residual functions small, and smaller in deeper nets?"),
    "shortcuts": Entry("shortcuts", PRESETS, "Identity or projection shortcuts: options A, B and C"),
    "highway": Entry("highway", PRESETS, "Do gates train where plain nets fail, and what do they do?"),
    "complexity": Entry("complexity", PRESETS, "What do VGG, plain and residual nets cost?"),
    "very-deep": Entry(
        "very_deep", PRESETS, "Does a far deeper net fit the training data and yet test worse?"
    ),
    "depth": Entry("depth", ("paper",), "The paper's table 6 on CIFAR-10, beside ours"),
    "imagenet": Entry("imagenet", ("paper",), "The paper's tables 2 to 5 on ImageNet, beside ours"),
}

ALL = "all"


def names(given: str, preset: Preset) -> list[str]:
    """The experiments that a user means.

    Args:
        given: a name, or "all" for those that have the preset.
        preset: the preset wanted.

    Raises:
        UnknownName: there is no such experiment; all names are in the text.
        InvalidValue: the experiment does not have the preset.
    """
    if given == ALL:
        return [name for name, entry in CATALOGUE.items() if preset in entry.presets]
    if given not in CATALOGUE:
        known = ", ".join([*CATALOGUE, ALL])
        # Without a near name the message lists them anyway.
        names = f"There are: {known}. " if nearest_names(given, CATALOGUE) else ""
        raise unknown_name("experiment", given, CATALOGUE, f"{names}See 'resnet-zoo reproduce --list'.")
    presets = CATALOGUE[given].presets
    if preset not in presets:
        raise InvalidValue(
            f"experiment {given!r} has no preset {preset!r}: its claims are about {_about(given)} and cannot be "
            f"shown in minutes. Use --preset {presets[0]}."
        )
    return [given]


def _about(name: str) -> str:
    return "ImageNet" if name == "imagenet" else "CIFAR-10"


def load(name: str) -> Experiment:
    """The experiment of that name, its module imported."""
    module = importlib.import_module(f"resnet_zoo.experiments.{CATALOGUE[name].module}")
    experiment: Experiment = module.EXPERIMENT
    return experiment
