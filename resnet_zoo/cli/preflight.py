"""What is looked at before any rank builds a model, so that a mistake is a sentence within a minute and not a hang."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist

import resnet_zoo
from resnet_zoo.cli.arguments import Arguments
from resnet_zoo.cli.launch import Launch
from resnet_zoo.errors import InvalidValue, SaidElsewhere

Built = TypeVar("Built")

ROOM_FOR_CHECKPOINTS = 4
"""last, previous and best, and the one that is being written."""
PROBE_ELEMENTS = 1_000_000


def check_launch(launch: Launch, arguments: Arguments) -> None:
    """Compare what the launcher started with what the config asks for; talks to nobody.

    Args:
        launch: how this process was started.
        arguments: the merged config; what it does not say follows from the launcher.

    Raises:
        InvalidValue: the message names the variable or option.
    """
    nodes = arguments.get("trainer.num_nodes")
    if launch.launcher == "slurm":
        if "SLURM_STEP_ID" not in os.environ:
            raise InvalidValue(
                f"SLURM_NTASKS={launch.world_size}, but this process was not started by srun, so that the others never "
                "come. Start the command with srun, or ask for one task (--ntasks=1)."
            )
        num_nodes = _nodes_of_slurm()
        if launch.world_size % num_nodes:
            raise InvalidValue(
                f"SLURM_NTASKS={launch.world_size} tasks do not divide over SLURM_NNODES={num_nodes} nodes. Use "
                "--ntasks-per-node with the number of devices of a node."
            )
        if "SLURM_NTASKS_PER_NODE" not in os.environ:  # without it Lightning does not know who is where
            raise InvalidValue(
                f"SLURM_NTASKS={launch.world_size}, but SLURM_NTASKS_PER_NODE is not set, as with --ntasks alone. Use "
                f"--ntasks-per-node={launch.local_world_size}."
            )
    elif launch.launcher != "torchrun":
        wanted = _count(nodes)
        if wanted is not None and wanted > 1 and launch.launcher == "none" and "NODE_RANK" not in os.environ:
            raise InvalidValue(_single(wanted))
        return
    _check_counts(launch, arguments.get("trainer.devices"), nodes)


def follow_launcher(launch: Launch, trainer: Any) -> None:
    """Compare the parsed trainer settings with what was started, in whatever form they came, and complete them.

    Args:
        launch: torchrun or SLURM started several processes.
        trainer: the parsed settings; ``devices`` is set to the processes of a node where it fixes no number, which on
            a CPU would otherwise mean one.

    Raises:
        InvalidValue: as ``check_launch``.
    """
    _check_counts(launch, trainer.devices, trainer.num_nodes)
    if _count(trainer.devices) is None:
        trainer.devices = launch.local_world_size


def _check_counts(launch: Launch, devices: Any, num_nodes: Any) -> None:
    if launch.launcher == "slurm":
        nodes_started = _nodes_of_slurm()
        started = f"SLURM_NTASKS={launch.world_size} over SLURM_NNODES={nodes_started}"
        options = ("--ntasks-per-node", "--nodes")
    else:
        nodes_started = launch.world_size // launch.local_world_size
        started = f"WORLD_SIZE={launch.world_size}, LOCAL_WORLD_SIZE={launch.local_world_size}"
        options = ("--nproc-per-node", "--nnodes")
    devices, num_nodes = _count(devices), _count(num_nodes)
    if devices is not None and devices != launch.local_world_size:
        raise InvalidValue(
            f"trainer.devices={devices}, but {launch.launcher} started {launch.local_world_size} processes a node "
            f"({started}). Use {options[0]}={devices}, or leave trainer.devices out: it follows the launcher."
        )
    if num_nodes is not None and num_nodes != nodes_started:
        raise InvalidValue(
            f"trainer.num_nodes={num_nodes}, but {launch.launcher} started on {nodes_started} ({started}). Use "
            f"{options[1]}={num_nodes}, or leave trainer.num_nodes out: it follows the launcher."
        )


def _nodes_of_slurm() -> int:
    return int(os.environ.get("SLURM_NNODES", "1"))


def _count(value: Any) -> int | None:
    """A number of devices or nodes that the config fixes; None for 'auto' and what is not there."""
    if isinstance(value, list):
        return len(value)
    try:
        count = int(value)
    except (TypeError, ValueError):
        return None
    return count if count > 0 else None


def _single(nodes: int) -> str:
    tasks = os.environ.get("SLURM_NTASKS")
    if tasks is not None:
        return (
            f"trainer.num_nodes={nodes}, but SLURM_NTASKS={tasks}: SLURM started one process. Use --nodes={nodes} and "
            "--ntasks-per-node with the number of devices of a node, and start with srun."
        )
    return (
        f"trainer.num_nodes={nodes}, but no launcher started this process. Use torchrun with --nnodes={nodes} on every "
        "node, or srun; see docs/clusters.md."
    )


def together(launch: Launch, build: Callable[[], Built]) -> Built:
    """Build something on every rank, or end all of them if one cannot: a node may lack the data.

    Raises:
        Exception: what ``build`` raised here; its notes name rank and host where other ranks got through.
        SaidElsewhere: another rank says what is wrong.
    """
    try:
        built, failure = build(), None
    except Exception as error:
        built, failure = None, error
    if launch.external:
        texts: list[str | None] = [None] * launch.world_size
        dist.all_gather_object(texts, None if failure is None else f"{type(failure).__name__}: {failure}")
        failed = [rank for rank, text in enumerate(texts) if text is not None]
        if failed and (failure is None or texts[launch.rank] in texts[: launch.rank]):
            raise SaidElsewhere("another rank says it")
        if failure is not None and len(set(texts)) > 1:
            failure.args = (f"rank {launch.rank} on {platform.node()}: {failure}",)
    if failure is not None:
        raise failure
    assert built is not None
    return built


def check_agreement(launch: Launch, **facts_here: Any) -> None:
    """Compare what must be the same on all ranks with what rank 0 has.

    Args:
        launch: how this process was started; a single process agrees with itself.
        facts_here: plain values by name.

    Raises:
        InvalidValue: something differs; the message names the rank and its host. Raised by the first such rank.
        SaidElsewhere: on the others.
    """
    if not launch.external:
        return
    mine = {name: value if isinstance(value, str) else _digest(value) for name, value in facts_here.items()}
    mine["host"] = platform.node()
    facts: list[dict[str, str]] = [{}] * launch.world_size
    dist.all_gather_object(facts, mine)
    for rank, other in enumerate(facts):
        differing = [name for name in mine if name != "host" and other[name] != facts[0][name]]
        if differing and rank != launch.rank:
            raise SaidElsewhere("another rank says it")
        if differing:
            name = differing[0]
            raise InvalidValue(
                f"rank {rank} on {other['host']} has another {name} than rank 0 on {facts[0]['host']}: "
                f"{other[name]} there, {facts[0][name]} here. All ranks must run the same code and config on the "
                "same data."
            )


def check_ranks(launch: Launch, arguments: Arguments) -> None:
    """Compare code, libraries and config of all ranks, and time an all-reduce.

    Raises:
        InvalidValue, SaidElsewhere: as ``check_agreement``.
    """
    if not launch.external:
        return
    check_agreement(launch, code=code_version(), torch=torch.__version__, config=arguments.words())
    seconds = _timed_all_reduce()
    if launch.rank == 0:
        print(
            f"preflight: {launch.world_size} ranks, {launch.local_world_size} a node, with the same code and config; "
            f"all-reduce of {4 * PROBE_ELEMENTS / 1e6:g} MB in {1000 * seconds:.1f} ms",
            file=sys.stderr,
        )


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:12]


def code_version() -> str:
    """The package's version, and a digest of its source files."""
    digest = hashlib.sha256()
    package = Path(resnet_zoo.__file__).parent
    for path in sorted(package.rglob("*.py")):
        digest.update(str(path.relative_to(package)).encode() + path.read_bytes())
    return f"{resnet_zoo.__version__}+{digest.hexdigest()[:12]}"


def _timed_all_reduce() -> float:
    device = "cuda" if torch.cuda.is_available() and dist.get_backend() == "nccl" else "cpu"
    probe = torch.ones(PROBE_ELEMENTS, device=device)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        dist.all_reduce(probe)
        probe[0].item()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def check_room(folder: Path, num_parameters: int) -> None:
    """Refuse to start where the checkpoints will not fit.

    Args:
        folder: the run directory.
        num_parameters: of the model; a checkpoint holds them and the optimizer's state, at most two more of each.

    Raises:
        InvalidValue: the disk has less room than that.
    """
    needed = ROOM_FOR_CHECKPOINTS * 3 * 4 * num_parameters
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InvalidValue(
            f"'{folder}' has {free / 1e6:,.0f} MB of free disk, the checkpoints of this run may take "
            f"{needed / 1e6:,.0f} MB. Make room, or choose another --run_dir."
        )
