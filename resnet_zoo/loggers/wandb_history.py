"""What a run directory keeps of its run at Weights & Biases: its id, and the parts that were not sent."""

from __future__ import annotations

import secrets
import string

from resnet_zoo.loggers.rank import is_rank_zero
from resnet_zoo.runs import RunDirectory, write_text_atomically


def stored_id(run_directory: RunDirectory) -> str:
    """The run's id at W&B: the one in the run directory, or a new one that is stored there by rank 0."""
    file = run_directory.wandb_id
    if file.exists():
        stored = file.read_text(encoding="utf-8").strip()
        if stored:
            return stored
    alphabet = string.ascii_lowercase + string.digits
    new = "".join(secrets.choice(alphabet) for _ in range(8))
    if is_rank_zero():
        write_text_atomically(file, new + "\n")
    return new


def has_unsent_segment(run_directory: RunDirectory) -> bool:
    """Whether a part of the run was kept offline and never sent; wandb leaves a mark beside what it has sent."""
    files = (run_directory.path / "wandb").glob("offline-run-*/*.wandb")
    return any(not file.with_suffix(".wandb.synced").exists() for file in files)
