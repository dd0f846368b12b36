"""Weights & Biases, kept within the run directory and kept quiet."""

from __future__ import annotations

import secrets
import string
import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from resnet_zoo.errors import InvalidValue
from resnet_zoo.loggers.wandb_mode import ResolvedMode, WandbMode, resolve_mode
from resnet_zoo.runs import RunDirectory, redact, redact_arguments, write_text_atomically

START_WITHIN = 30.0
"""Seconds that a server which accepts connections may take to start a run."""


@dataclass(frozen=True)
class WandbSettings:
    """How a run appears at Weights & Biases.

    Args:
        project: the project it belongs to.
        mode: "auto" (online if logged in and reachable, else offline), "online", "offline" (send it later with
            'wandb sync') or "disabled".
        entity: user or team; by default the logged-in user's.
        name: display name; by default config name and number of the run directory.
        group: name shared by runs that belong together, such as the seeds of an experiment.
        tags: labels to filter by.
        notes: free text.

    Raises:
        InvalidValue: the project is empty.
    """

    project: str = "resnet-zoo"
    mode: WandbMode = "auto"
    entity: str | None = None
    name: str | None = None
    group: str | None = None
    tags: list[str] = field(default_factory=list)
    notes: str | None = None

    def __post_init__(self) -> None:
        if not self.project.strip():
            raise InvalidValue(
                "the W&B project is empty. Name one, e.g. 'resnet-zoo', or use the mode 'disabled'."
            )


class RunWandbLogger(WandbLogger):
    """Lightning's logger with the run's id, place, mode and configuration settled in advance.

    The id is made here and stored in the run directory, so that a resumed run continues the same history. wandb
    itself starts with the first thing logged, on rank 0 only.

    Args:
        run_directory: owns ``wandb/`` and ``wandb_id``.
        settings: how the run appears.
        mode: online or offline, as ``resolve_mode`` found.
        config: the resolved configuration, nested; secrets are taken out.
        notice: a sentence for the user about the mode.
    """

    def __init__(
        self,
        run_directory: RunDirectory,
        settings: WandbSettings,
        mode: ResolvedMode,
        config: Mapping[str, Any] | None = None,
        notice: str = "",
    ) -> None:
        import wandb

        self.notice = notice
        path = run_directory.path
        super().__init__(
            project=settings.project,
            name=settings.name or f"{path.parent.name}/{path.name}",
            save_dir=str(path),
            id=_stored_id(run_directory),
            mode=mode,
            entity=settings.entity,
            group=settings.group,
            tags=settings.tags,
            notes=settings.notes,
            config=redact(config or {}),
            settings=wandb.Settings(
                silent=True,
                init_timeout=START_WITHIN,
                # wandb notes the command line by itself. Our record has it too, without secrets.
                x_disable_meta=redact_arguments(sys.argv) != sys.argv,
            ),
        )
        # Lightning passes a deprecated argument on, about which wandb warns at every start.
        self._wandb_init.pop("anonymous", None)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """Add to the run's configuration; nested mappings stay nested, secrets are taken out."""
        super().log_hyperparams(redact(vars(params) if isinstance(params, Namespace) else params))


def wandb_logger(
    run_directory: RunDirectory, settings: WandbSettings, config: Mapping[str, Any] | None = None
) -> RunWandbLogger | None:
    """The logger for a run; None where W&B is disabled, and on every rank but 0.

    Args:
        run_directory: the run's folder.
        settings: how the run appears.
        config: the resolved configuration, nested.

    Raises:
        InvalidValue: the mode is "online" and there is no API key.
    """
    if not _is_rank_zero():
        return None
    mode, reason = resolve_mode(settings.mode)
    if mode == "disabled":
        return None
    notice = f"W&B: {mode} ({reason})"
    if mode == "offline":
        notice += f"; to send it later: wandb sync '{run_directory.path / 'wandb'}/offline-run-*'"
    return RunWandbLogger(run_directory, settings, mode, config, notice)


def _stored_id(run_directory: RunDirectory) -> str:
    """The run's id at W&B: the one in the run directory, or a new one that is stored there by rank 0."""
    file = run_directory.wandb_id
    if file.exists():
        stored = file.read_text(encoding="utf-8").strip()
        if stored:
            return stored
    alphabet = string.ascii_lowercase + string.digits
    new = "".join(secrets.choice(alphabet) for _ in range(8))
    if _is_rank_zero():
        write_text_atomically(file, new + "\n")
    return new


def _is_rank_zero() -> bool:
    """Lightning keeps the rank on its decorator, from the environment at first and from the strategy later."""
    return getattr(rank_zero_only, "rank", 0) == 0
