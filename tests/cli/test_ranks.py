"""Two ranks under torchrun and under Lightning: whichever gets the signal, dies or hangs, all end, in bounded time."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback

from resnet_zoo.runs import read_status

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FIT = [
    "-m", "resnet_zoo", "fit", "--config", "quickstart", "--logger", "none", "--model.backbone.width", "4",
    "--data.val_size", "200", "--trainer.accelerator", "cpu", "--trainer.log_every_n_steps", "5",
]  # fmt: skip
TORCHRUN = [
    sys.executable,
    "-m",
    "torch.distributed.run",
    "--nproc-per-node",
    "2",
    "--monitor-interval",
    "0.5",
]


PORTS_OF_THE_SYSTEM = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """Below those that the system gives to whoever asks for any: nobody gets it until it is listened to."""
    first = int(PORTS_OF_THE_SYSTEM.read_text().split()[0]) if PORTS_OF_THE_SYSTEM.exists() else 32768
    for port in random.SystemRandom().sample(range(1024, max(first, 1124)), 100):
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a hundred ports are taken")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Path]:
    """A run directory; whatever was started for it is gone behind the test, however that ended."""
    folder = tmp_path / "run"
    yield folder
    for process in processes_of(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def start(words: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """As long as the training goes on."""
    while not condition():
        assert process.poll() is None, log.read_text()
        time.sleep(0.2)


def processes_of(run: Path, variable: str = "") -> list[int]:
    """Those that were started for a run, with a variable in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(run).encode() in words and (not variable or variable.encode() in environment):
            found.append(int(folder.name))
    return found


def process_of_rank(rank: int, run: Path) -> int:
    """The process id of a rank of the run."""
    [process] = processes_of(run, f"LOCAL_RANK={rank}")
    return process


def torchrun(run: Path, *words: str, options: tuple[str, ...] = ()) -> list[str]:
    return [*TORCHRUN, "--master-port", str(free_port()), *options, *FIT, "--run_dir", str(run), *words]


@pytest.mark.parametrize(
    ("launcher", "target", "number"),
    [
        ("torchrun", "rank 0", signal.SIGTERM),
        ("torchrun", "rank 1", signal.SIGUSR1),
        ("torchrun", "the launcher", signal.SIGTERM),
        ("Lightning", "rank 1", signal.SIGTERM),
    ],
)
def test_whoever_gets_the_signal_all_save_and_end(
    launcher: str, target: str, number: signal.Signals, run: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    words = torchrun(run, "--trainer.max_epochs", "100000")
    if launcher == "Lightning":
        ranks = ["--trainer.devices", "2", "--trainer.strategy", "ddp", "--trainer.max_epochs", "100000"]
        words = [sys.executable, *FIT, "--run_dir", str(run), *ranks]
    process = start(words, log)
    wait_for((run / "checkpoints/last.ckpt").exists, process, log)
    os.kill(process.pid if target == "the launcher" else process_of_rank(int(target[-1]), run), number)
    code = process.wait()
    assert code == (85 if launcher == "Lightning" else 1), (
        log.read_text()
    )  # torchrun makes 1 of every failure
    status = read_status(run / "status.json")
    assert status["status"] == "preempted", log.read_text()
    assert status["exit_code"] == 85
    assert torch.load(run / "checkpoints/last.ckpt", weights_only=True)["global_step"] == status["step"]


class DiesOnce(Callback):
    """Rank 1 is killed in the second epoch, unless it has been started again."""

    def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
        again = os.environ["TORCHELASTIC_RESTART_COUNT"] != "0"
        if trainer.global_rank == 1 and trainer.current_epoch == 1 and not again:
            os.kill(os.getpid(), signal.SIGKILL)


def test_a_rank_that_is_killed_is_replaced_and_all_go_on_from_the_last_checkpoint(
    run: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    words = ["--trainer.max_epochs", "3", "--resume", "auto"]
    words += ["--trainer.callbacks", "{class_path: tests.cli.test_ranks.DiesOnce}"]
    process = start(torchrun(run, *words, options=("--max-restarts", "1")), log)
    assert process.wait() == 0, log.read_text()
    text = log.read_text()
    assert f"continuing from '{run / 'checkpoints/last.ckpt'}'" in text
    assert read_status(run / "status.json")["status"] == "finished"
    assert torch.load(run / "checkpoints/last.ckpt", weights_only=True)["epoch"] == 2


def test_a_rank_that_hangs_is_named_and_the_others_end(run: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start(torchrun(run, "--trainer.max_epochs", "100000", "--rank_timeout", "20"), log)
    wait_for((run / "checkpoints/last.ckpt").exists, process, log)
    hanging = process_of_rank(1, run)
    os.kill(hanging, signal.SIGSTOP)
    wait_for(lambda: "stopped: " in log.read_text(), process, log)
    os.kill(hanging, signal.SIGKILL)  # torchrun would do so 30 seconds after its SIGTERM
    process.wait()
    text = log.read_text()
    assert "stopped: rank 1 did not answer within 20 s (rank_timeout)" in text, text
    assert text.count("stopped: ") == 1
    assert read_status(run / "status.json")["status"] == "failed"


def test_two_agents_on_loopback_train_as_two_nodes(run: Path, tmp_path: Path) -> None:
    port, agents = free_port(), []
    for node in range(2):
        options = [
            "--nnodes",
            "2",
            "--nproc-per-node",
            "1",
            "--node-rank",
            str(node),
            "--master-addr",
            "127.0.0.1",
        ]
        words = [sys.executable, "-m", "torch.distributed.run", *options, "--master-port", str(port), *FIT]
        agents.append(
            start([*words, "--run_dir", str(run), "--trainer.max_epochs", "2"], tmp_path / f"log{node}")
        )
    codes = [agent.wait() for agent in agents]
    assert codes == [0, 0], (tmp_path / "log0").read_text() + (tmp_path / "log1").read_text()
    assert "preflight: 2 ranks, 1 a node" in (tmp_path / "log0").read_text()
    assert (run / "test.json").exists()
