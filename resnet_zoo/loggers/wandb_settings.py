"""How a run appears at Weights & Biases."""

from __future__ import annotations

from dataclasses import dataclass, field

from resnet_zoo.errors import InvalidValue
from resnet_zoo.loggers.wandb_mode import WandbMode


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
        log_checkpoints: send best.ckpt and last.ckpt as an artifact when the training has ended.
        finish_within: seconds that the end of a training may wait for W&B, for instance for an artifact on its way.

    Raises:
        InvalidValue: the project is empty, or the seconds are negative.
    """

    project: str = "resnet-zoo"
    mode: WandbMode = "auto"
    entity: str | None = None
    name: str | None = None
    group: str | None = None
    tags: list[str] = field(default_factory=list)
    notes: str | None = None
    log_checkpoints: bool = False
    finish_within: float = 60.0

    def __post_init__(self) -> None:
        if not self.project.strip():
            raise InvalidValue(
                "the W&B project is empty. Name one, e.g. 'resnet-zoo', or use the mode 'disabled'."
            )
        if not self.finish_within >= 0:
            raise InvalidValue(f"wandb.finish_within={self.finish_within:g} must be 0 seconds or more.")
