"""Which process of how many this is, before any of them builds a model.

Three ways lead to several processes: torchrun and SLURM start them all from outside, and Lightning, given
``--trainer.devices 2`` alone, starts the others from the first. All ranks must agree on one run directory: ranks
started from outside agree over a process group, Lightning's children find it in their environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch.distributed as dist
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from resnet_zoo.errors import SaidElsewhere

RUN_DIR_VARIABLE = "RESNET_ZOO_RUN_DIR"
LAUNCHER_KEYS = ("devices", "num_nodes", "strategy")
"""Trainer settings that ``trainer_defaults`` may give."""


@dataclass(frozen=True)
class Launch:
    """How this process was started.

    Attributes:
        launcher: who started the processes; "none" for a single one, or for the first of Lightning's own.
        rank: this process's rank over all nodes.
        world_size: number of processes over all nodes; 1 where Lightning will start the others itself.
        local_world_size: number of processes on this node.
    """

    launcher: Literal["none", "torchrun", "slurm", "lightning"]
    rank: int = 0
    world_size: int = 1
    local_world_size: int = 1

    @property
    def external(self) -> bool:
        """Whether all ranks run already and can talk to each other."""
        return self.launcher in ("torchrun", "slurm") and self.world_size > 1


def detect() -> Launch:
    """Read the launch from the environment that torchrun, SLURM or Lightning set."""
    if TorchElasticEnvironment.detect():
        size = int(os.environ["WORLD_SIZE"])
        return Launch(
            "torchrun", int(os.environ["RANK"]), size, int(os.environ.get("LOCAL_WORLD_SIZE", size))
        )
    if SLURMEnvironment.detect() and int(os.environ.get("SLURM_NTASKS", "1")) > 1:
        size, nodes = int(os.environ["SLURM_NTASKS"]), int(os.environ.get("SLURM_NNODES", "1"))
        return Launch("slurm", int(os.environ["SLURM_PROCID"]), size, max(1, size // nodes))
    if os.environ.get("LOCAL_RANK", "0") != "0" and RUN_DIR_VARIABLE in os.environ:
        return Launch("lightning", int(os.environ["LOCAL_RANK"]))
    return Launch("none")


def trainer_defaults(launch: Launch) -> dict[str, Any]:
    """Trainer settings that follow from how the processes were started: used where the config says nothing."""
    if not launch.external:
        return {}
    return {
        "devices": launch.local_world_size,
        "num_nodes": max(1, launch.world_size // launch.local_world_size),
        "strategy": "ddp",
    }


def on_rank_zero(launch: Launch, act: Callable[[], str | None]) -> str | None:
    """Let rank 0 do something, and give all ranks started from outside what it returned.

    Raises:
        UserMistake: rank 0's, there.
        SaidElsewhere: on the others, if rank 0 raised anything.
    """
    value: str | None = None
    failure: BaseException | None = None
    if launch.rank == 0:
        try:
            value = act()
        except Exception as error:
            failure = error
    if launch.external:
        box: list[Any] = [value, failure is not None]
        dist.broadcast_object_list(box, src=0)
        value = box[0]
        if box[1] and failure is None:
            raise SaidElsewhere("rank 0 could not go on")
    if failure is not None:
        raise failure
    return value
