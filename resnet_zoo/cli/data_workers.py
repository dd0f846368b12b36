"""One line at the start of a training about its data workers, where their number was chosen for the user."""

from __future__ import annotations

import sys

from lightning.pytorch import Callback, LightningModule, Trainer

from resnet_zoo.data.base import ImageDataModule
from resnet_zoo.data.worker_choice import worker_choice
from resnet_zoo.loggers import MetricsCSV


class TellDataWorkers(Callback):
    """Says, on standard error and from rank 0 alone, how many workers there are, why, and what they can do."""

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure one worker and print the line; nothing if ``num_workers`` was given or none are needed."""
        data = getattr(trainer, "datamodule", None)
        if not (trainer.is_global_zero and isinstance(data, ImageDataModule)):
            return
        choice = worker_choice(data)
        if choice is not None:
            tables = [logger for logger in trainer.loggers if isinstance(logger, MetricsCSV)]
            speeds = [table.last("speed/images_per_second") for table in tables]
            print(choice.line(next(iter(speeds), None)), file=sys.stderr, flush=True)
