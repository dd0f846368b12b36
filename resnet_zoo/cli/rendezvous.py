"""Where ranks that were started from outside find each other, within a bounded time."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
import time
from datetime import timedelta

import torch
import torch.distributed as dist
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined]

from resnet_zoo.cli.launch import Launch
from resnet_zoo.errors import InvalidValue, SaidElsewhere

ARRIVAL_SECONDS = 30.0
"""How long the first rank waits for the last."""
RANK_TIMEOUT = 600.0
"""Seconds that a rank in training waits for another before it takes it for gone."""

_stores: list[Store] = []


def connect(launch: Launch, accelerator: str, rank_timeout: float, patience: float = ARRIVAL_SECONDS) -> None:
    """Start the process group of ranks launched from outside; Lightning finds it started and uses it.

    Args:
        launch: how this process was started.
        accelerator: the trainer's, which decides whether GPUs take part.
        rank_timeout: seconds that a rank waits for another in training.
        patience: seconds that it waits here for all to arrive.

    Raises:
        InvalidValue: not all ranks came in time; the message names them, and the variable that says how many.
        SaidElsewhere: the same, where another rank says it.
    """
    if not launch.external or dist.is_initialized():
        return
    store = _store(launch, patience)
    _wait_for_all(launch, store, patience)
    on_gpu = accelerator != "cpu" and torch.cuda.is_available()
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
        store=PrefixStore("ranks", store),
        rank=launch.rank,
        world_size=launch.world_size,
        timeout=timedelta(seconds=rank_timeout),
    )
    _stores[:] = [store]


def _store(launch: Launch, patience: float) -> Store:
    """The table in which ranks leave their names: torchrun's agent keeps one, otherwise rank 0 does."""
    address, port = _master(launch)
    kept_by_agent = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    where = f"MASTER_ADDR={address}, MASTER_PORT={port}"
    try:
        store = TCPStore(
            address,
            port,
            launch.world_size,
            is_master=launch.rank == 0 and not kept_by_agent,
            timeout=timedelta(seconds=patience),
            wait_for_workers=False,
        )
    except (dist.DistError, RuntimeError, ValueError) as error:
        if launch.rank == 0 and "EADDRINUSE" in str(error):
            raise InvalidValue(
                f"rank 0 on {platform.node()} cannot listen: port {port} is in use by another process ({where}). "
                "Set MASTER_PORT to a free port, for all ranks."
            ) from error
        raise InvalidValue(
            f"rank {launch.rank} on {platform.node()} got no answer from rank 0 within {patience:g} s ({where}). "
            "Does the name lead to the first node from here, is the port open between the nodes, and did rank 0 start?"
        ) from error
    # A second attempt of torchrun's must not find the names of the first.
    return PrefixStore(f"resnet-zoo/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)


def _master(launch: Launch) -> tuple[str, int]:
    """Address and port of rank 0; under SLURM its node's name, or the address that srun knows where names do not
    lead anywhere.
    """
    if launch.launcher == "slurm":
        environment = SLURMEnvironment()
        if "MASTER_ADDR" not in os.environ:
            address = environment.main_address
            known = os.environ.get("SLURM_LAUNCH_NODE_IPADDR")
            os.environ["MASTER_ADDR"] = address if known is None or _leads_somewhere(address) else known
        os.environ.setdefault("MASTER_PORT", str(environment.main_port))
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        if not os.environ.get(name):
            raise InvalidValue(f"{name} is not set, and {launch.launcher} should have set it.")
    return os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])


def _leads_somewhere(address: str) -> bool:
    try:
        socket.getaddrinfo(address, None)
    except OSError:
        return False
    return True


def _wait_for_all(launch: Launch, store: Store, patience: float) -> None:
    store.set(f"arrived/{launch.rank}", platform.node())
    until = time.monotonic() + patience
    missing = set(range(launch.world_size))
    while missing:
        missing = {rank for rank in missing if not store.check([f"arrived/{rank}"])}
        if missing and time.monotonic() > until:
            arrived = sorted(set(range(launch.world_size)) - missing)
            if arrived[0] != launch.rank:
                time.sleep(1.0)  # the one that speaks may be the one that keeps the table
                raise SaidElsewhere("not all ranks arrived")
            raise InvalidValue(_who_is_missing(launch, store, arrived, sorted(missing), patience))
        time.sleep(0.05)


def _who_is_missing(
    launch: Launch, store: Store, arrived: list[int], missing: list[int], patience: float
) -> str:
    here = ", ".join(f"{rank} on {store.get(f'arrived/{rank}').decode()}" for rank in arrived)
    if launch.launcher == "slurm":
        source = (
            f"SLURM_NTASKS={os.environ['SLURM_NTASKS']} says how many there are: does it match the tasks that srun "
            "started, and did all of them come up?"
        )
    else:
        source = (
            f"WORLD_SIZE={launch.world_size} is --nnodes times --nproc-per-node: did torchrun start on every node, "
            "with the same of both?"
        )
    return (
        f"{len(arrived)} of {launch.world_size} ranks arrived within {patience:g} s ({here}); "
        f"missing: {', '.join(map(str, missing))}. {source}"
    )


def silent_ranks(launch: Launch, patience: float = 5.0) -> list[int]:
    """After a failure: the ranks that do not notice one themselves, because they hang or are gone.

    To be called by every rank that fails; those that do not call it within ``patience`` seconds are returned. Empty
    where that cannot be found out.
    """
    if not _stores:
        return []
    store, silent = _stores[0], set(range(launch.world_size))
    with contextlib.suppress(RuntimeError):
        store.set(f"failed/{launch.rank}", "")
        until = time.monotonic() + patience
        while silent and time.monotonic() < until:
            silent = {rank for rank in silent if not store.check([f"failed/{rank}"])}
            time.sleep(0.1)
        return sorted(silent)
    return []


def said_by_another(launch: Launch, text: str, patience: float = 1.5) -> bool:
    """Whether a rank before this one fails for the same reason, so that it need not be told again."""
    if not _stores:
        return False
    store = _stores[0]
    with contextlib.suppress(RuntimeError):
        store.set(f"said/{launch.rank}", text)
        until = time.monotonic() + patience
        while launch.rank and time.monotonic() < until:
            for rank in range(launch.rank):
                if store.check([f"said/{rank}"]) and store.get(f"said/{rank}").decode() == text:
                    return True
            time.sleep(0.1)
        if launch.rank == 0:
            time.sleep(patience)  # rank 0 may keep the table
    return False
