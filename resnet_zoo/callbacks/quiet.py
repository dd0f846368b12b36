"""Take out what Lightning prints at every start and nobody can act on, each with its reason; everything else stays."""

from __future__ import annotations

import logging
import re
import warnings

# What a line begins with, and why it goes.
UNWANTED_LINES = {
    "💡 Tip:": "an advertisement for a package that the project does not use",
    "GPU available:": "the run's summary names the device in use",
    "TPU available:": "the run's summary names the device in use",
    "LOCAL_RANK: ": "the run's summary names the device in use",
    "Using bfloat16 Automatic Mixed Precision": "the run's summary names the precision",
    "Using 16bit Automatic Mixed Precision": "the run's summary names the precision",
    "`weights_only` was not set": "checkpoints here are read with weights_only=True by our own reader",
    "Seed set to": "the resolved config says it",
    "Restoring states from the checkpoint": "the command says which checkpoint it continues or evaluates",
    "Loaded model weights from the checkpoint": "the command says which checkpoint it evaluates",
    "Restored all states from the checkpoint": "the command says which checkpoint it continues",
    "`Trainer.fit` stopped:": "the command ends with a table of its own",
    "Trainer already configured with model summary callbacks": "an internal note",
}

# What a warning's text matches from its beginning, and why it goes.
UNWANTED_WARNINGS = {
    r"`isinstance\(treespec, LeafSpec\)` is deprecated": "Lightning's own use of torch, at every start",
    "The '.*' does not have many workers": "data sets held in memory have no workers on purpose",
    "The number of training batches .* is smaller than the logging interval": (
        "our writer logs what is left over at the end of every epoch"
    ),
    r"It is recommended to use `self\.log\(.*sync_dist=True\)`": (
        "our scores are summed over the ranks before they are logged"
    ),
    "The `srun` command is available": "preflight speaks up where it matters; a login node is not a mistake",
    "Total length of `list` across ranks is zero": "a data set without a validation split has no such loader",
    "Using `DistributedSampler` with the dataloaders": "our loaders count every image once on any number of ranks",
}

_LOGGERS = (
    "lightning.pytorch.utilities.rank_zero",
    "lightning.pytorch.accelerators.cuda",
    "lightning.fabric.utilities.rank_zero",
    "lightning.fabric.utilities.seed",
    "lightning.pytorch.trainer.connectors.checkpoint_connector",
)


def quieten_lightning() -> None:
    """Filter Lightning's advertisements, repetitions and warnings that do not apply here; safe to call twice."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(present, _WithoutUnwantedLines) for present in logger.filters):
            logger.addFilter(_WithoutUnwantedLines())
    for message in UNWANTED_WARNINGS:
        warnings.filterwarnings("ignore", message=message)


class _WithoutUnwantedLines(logging.Filter):
    """Lets a record pass unless it begins as one of the unwanted lines."""

    _beginnings = re.compile(
        r"(?:\[rank: \d+\] )?(?:" + "|".join(re.escape(beginning) for beginning in UNWANTED_LINES) + ")"
    )

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is printed."""
        return self._beginnings.match(record.getMessage()) is None
