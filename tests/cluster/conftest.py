"""A SLURM of two nodes on this machine: its controller, two node daemons, and munge between them."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

NEEDED = ("munged", "unmunge", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")
CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/ctld.pid
SlurmdPidFile={folder}/run/%n.pid
SlurmctldLogFile={folder}/ctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
JobRequeue=1
KillWait=10
NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{second}] CPUs=1 RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP PreemptMode=OFF
"""


class Cluster:
    """Talks to the controller."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}

    def ask(self, *words: str, timeout: float = 60, environment: dict[str, str] | None = None) -> str:
        """What a command of SLURM's prints."""
        answer = subprocess.run(
            words, env=self.environment | (environment or {}), cwd=self.folder, capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip
        assert answer.returncode == 0, f"{words}: {answer.stdout}{answer.stderr}"
        return answer.stdout.strip()

    def wait_for_end(self, job: str, limit: float) -> list[str]:
        """Wait until a job is over; the states it was seen in. A requeued one is let go on at once."""
        states: list[str] = []
        until = time.monotonic() + limit
        while time.monotonic() < until:
            state = self.ask("squeue", "--noheader", "--states=all", "--jobs", job, "--format", "%T %r")
            if not states or states[-1] != state:
                states.append(state)
            if state.startswith("PENDING") and "BeginTime" in state:
                self.ask("scontrol", "update", f"JobId={job}", "StartTime=now")
            if state.split(" ")[0] in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", ""):
                return states
            time.sleep(1.0)
        raise AssertionError(f"job {job} is not over after {limit:g} s: {states}")


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two idle nodes, taken down afterwards."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}; Debian's packages slurm-wlm and munge have them")
    if os.geteuid() != 0:
        pytest.skip("the node daemons need root")
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "run", "spool/n1", "spool/n2"):
        (folder / name).mkdir(parents=True)
    controller, first = free_ports(1)[0], _two_adjacent_ports()
    host = socket.gethostname().partition(".")[0]
    (folder / "slurm.conf").write_text(
        CONFIG.format(host=host, folder=folder, port=controller, first=first, second=first + 1)
    )
    cluster = Cluster(folder)
    munged = _start_munge()
    try:
        cluster.ask("slurmctld", "-c")
        for node in ("n1", "n2"):
            cluster.ask("slurmd", "-N", node)
        _wait_until_idle(cluster)
        yield cluster
    finally:
        for name in ("n1", "n2", "ctld"):
            _stop(folder / "run" / f"{name}.pid")
        if munged is not None:
            _stop(munged)


def _two_adjacent_ports() -> int:
    while True:
        first = free_ports(1)[0]
        with socket.socket() as second:
            try:
                second.bind(("127.0.0.1", first + 1))
            except OSError:
                continue
            return first


def _start_munge() -> Path | None:
    """Start munge unless it runs; the file of its process id if it was started here."""
    if subprocess.run("munge -n | unmunge", shell=True, capture_output=True, check=False).returncode == 0:
        return None
    folder, user = Path("/run/munge"), pwd.getpwnam("munge")
    folder.mkdir(exist_ok=True)
    os.chown(folder, user.pw_uid, user.pw_gid)
    subprocess.run([shutil.which("munged") or "munged"], user="munge", group="munge", check=True)
    return folder / "munged.pid"


def _wait_until_idle(cluster: Cluster) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if cluster.ask("sinfo", "--noheader", "--Node", "--format", "%N %t").split("\n") == [
            "n1 idle",
            "n2 idle",
        ]:
            return
        time.sleep(0.5)
    raise AssertionError((cluster.folder / "ctld.log").read_text()[-3000:])


def _stop(pid_file: Path) -> None:
    try:
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        for _ in range(100):
            os.kill(pid, 0)
            time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
    except (OSError, ValueError):
        return
