"""The plain and residual nets that several experiments train, so that they share the runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from resnet_zoo.complexity import Complexity, measure_complexity
from resnet_zoo.experiments.recipes import EPOCHS, WIDTH, on_cifar, on_digits
from resnet_zoo.experiments.runs import TrainingRun
from resnet_zoo.experiments.setting import Setting
from resnet_zoo.model import ImageModel
from resnet_zoo.registry import registry

NUM_CLASSES = 10
PAPER_DECAY = 1e-4
"""He et al. 2015 (arXiv:1512.03385), section 4.2."""
HELD_DEPTH = 110
"""From this depth on the paper trains with a tenth of the rate until the training error is below 80 %."""


@dataclass(frozen=True)
class Net:
    """A net for CIFAR of the paper's families.

    Attributes:
        kind: "plain" or "resnet".
        depth: number of layers, 6n + 2.
        option: of the shortcuts.
        weight_decay: in the preset quick; the preset paper has the paper's.
        epochs: in the preset quick; the preset paper has the paper's.
    """

    kind: str
    depth: int
    option: str = "A"
    weight_decay: float = PAPER_DECAY
    epochs: int = EPOCHS

    @property
    def label(self) -> str:
        """A plain name: plain56, resnet56, resnet56-B."""
        decay = "" if self.weight_decay == PAPER_DECAY else f"-decay{self.weight_decay:g}"
        return f"{self.kind}{self.depth}" + ("" if self.option == "A" else f"-{self.option}") + decay

    @property
    def title(self) -> str:
        """For legends: plain-56, ResNet-56, ResNet-56 B."""
        name = f"{'plain' if self.kind == 'plain' else 'ResNet'}-{self.depth}"
        return name if self.option == "A" else f"{name} {self.option}"

    @property
    def backbone(self) -> str:
        """The builder's registered name."""
        return f"{self.kind}_cifar"

    def arguments(self, quick: bool) -> dict[str, Any]:
        """Of the builder."""
        arguments: dict[str, Any] = {"depth": self.depth}
        if quick:
            arguments["width"] = WIDTH
        if self.option != "A":
            arguments["shortcut"] = self.option
        return arguments

    def runs(self, setting: Setting, in_paper: int = 1) -> list[TrainingRun]:
        """The trainings of this net, one for each seed.

        Args:
            setting: the user's choices.
            in_paper: how many runs the paper has of it.
        """
        arguments = self.arguments(setting.quick)
        if setting.quick:
            return [
                on_digits(
                    self.label,
                    seed,
                    self.backbone,
                    arguments,
                    epochs=self.epochs,
                    weight_decay=self.weight_decay,
                    cost=self.depth,
                )
                for seed in setting.seeds()
            ]
        held = self.kind == "resnet" and self.depth >= HELD_DEPTH
        config = "r110_cifar10" if held else "r20_cifar10"
        return [
            on_cifar(setting, self.label, seed, config, self.backbone, arguments)
            for seed in setting.seeds(in_paper)
        ]

    def complexity(self, setting: Setting) -> Complexity:
        """Parameters and multiply-adds for one image of the preset's data."""
        return complexity_of(self.backbone, self.arguments(setting.quick), 8 if setting.quick else 32)


def complexity_of(
    backbone: str, arguments: dict[str, Any], image_size: int, num_classes: int = NUM_CLASSES
) -> Complexity:
    """Parameters and multiply-adds of a net with its head; nothing is allocated or computed."""
    with torch.device("meta"):
        model = ImageModel(registry.create(backbone, **arguments), num_classes)
        return measure_complexity(model, image_size)
