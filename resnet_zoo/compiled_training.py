"""The part of a classifier that compiles its training."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import nn
from torch.optim import Optimizer

from resnet_zoo.compiling import CompileSettings, Workplace, compile_backbone, settle
from resnet_zoo.exact_evaluation import ExactEvaluation
from resnet_zoo.optim import compile_update, example_of, what_update_lacks


class CompiledTraining(ExactEvaluation):
    """Compiles the backbone, in place, before a training, and the optimizer's update, as far as asked for.

    Args:
        num_classes: number of classes.
        settings: what is compiled.

    Attributes:
        compile_settings: the same; once a training begins nothing in them is left to choose.
    """

    backbone: nn.Module
    optimizer_factory: Callable[[Iterable[Any]], Optimizer]

    def __init__(self, num_classes: int, settings: CompileSettings) -> None:
        super().__init__(num_classes)
        self.compile_settings = settings

    def setup(self, stage: str) -> None:
        """Compile the backbone when fitting."""
        if stage != "fit":
            return
        data = getattr(self.trainer, "datamodule", None)
        self.settle_compiling(self.trainer, data)
        if self.compile_settings.backbone or self.compile_settings.optimizer:
            torch.compiler.reset()  # what earlier trainings of this process compiled counts towards torch's limit
        if self.compile_settings.backbone:
            resizing = getattr(data, "progressive_resizing", None)
            num_sizes = 1 if resizing is None else resizing.most_sizes
            compile_backbone(self.backbone, self.compile_settings.mode, num_sizes)

    def settle_compiling(self, trainer: Trainer, data: Any) -> list[str]:
        """Decide what the settings leave to us.

        Args:
            trainer: that is going to train.
            data: on whose images.

        Returns:
            the sentences that say what was decided.

        Raises:
            InvalidValue: something is asked for that cannot be done on the trainer's device.
        """
        place = Workplace.of(trainer, data)
        self.compile_settings, notes = settle(
            self.compile_settings, place, lambda: what_update_lacks(example_of(self.optimizer_factory))
        )
        return notes

    def with_compiled_update(self, optimizer: Optimizer) -> Optimizer:
        """The optimizer, its update compiled if that was settled."""
        if self.compile_settings.optimizer is True:
            compile_update(optimizer)
        return optimizer
