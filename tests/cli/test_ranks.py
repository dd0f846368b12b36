"""Two ranks under torchrun and under Lightning: whichever gets the signal, dies or hangs, all end, in bounded time."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from resnet_zoo.runs import read_status

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

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


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def start(words: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT)


def wait_for(file: Path, process: subprocess.Popen[bytes], log: Path, limit: float = 150) -> None:
    until = time.monotonic() + limit
    while not file.exists():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.2)


def process_of_rank(rank: int, run: Path) -> int:
    """The process id of a rank of the run."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(run).encode() in words and f"LOCAL_RANK={rank}".encode() in environment:
            return int(folder.name)
    raise AssertionError(f"rank {rank} is not running")


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
    launcher: str, target: str, number: signal.Signals, tmp_path: Path
) -> None:
    run, log = tmp_path / "run", tmp_path / "log"
    words = torchrun(run, "--trainer.max_epochs", "100000")
    if launcher == "Lightning":
        ranks = ["--trainer.devices", "2", "--trainer.strategy", "ddp", "--trainer.max_epochs", "100000"]
        words = [sys.executable, *FIT, "--run_dir", str(run), *ranks]
    process = start(words, log)
    wait_for(run / "checkpoints/last.ckpt", process, log)
    os.kill(process.pid if target == "the launcher" else process_of_rank(int(target[-1]), run), number)
    code = process.wait(timeout=60)
    assert code == (85 if launcher == "Lightning" else 1), (
        log.read_text()
    )  # torchrun makes 1 of every failure
    status = read_status(run / "status.json")
    assert status["status"] == "preempted", log.read_text()
    assert status["exit_code"] == 85
    assert torch.load(run / "checkpoints/last.ckpt", weights_only=True)["global_step"] == status["step"]


def test_a_rank_that_is_killed_is_replaced_and_all_go_on_from_the_last_checkpoint(tmp_path: Path) -> None:
    run, log = tmp_path / "run", tmp_path / "log"
    words = ["--trainer.max_epochs", "20", "--resume", "auto"]
    process = start(torchrun(run, *words, options=("--max-restarts", "1")), log)
    wait_for(run / "checkpoints/last.ckpt", process, log)
    os.kill(process_of_rank(1, run), signal.SIGKILL)
    assert process.wait(timeout=300) == 0, log.read_text()
    text = log.read_text()
    assert f"continuing from '{run / 'checkpoints/last.ckpt'}'" in text
    assert read_status(run / "status.json")["status"] == "finished"
    assert torch.load(run / "checkpoints/last.ckpt", weights_only=True)["epoch"] == 19


def test_a_rank_that_hangs_is_named_and_the_others_end(tmp_path: Path) -> None:
    run, log = tmp_path / "run", tmp_path / "log"
    process = start(torchrun(run, "--trainer.max_epochs", "100000", "--rank_timeout", "8"), log)
    wait_for(run / "checkpoints/last.ckpt", process, log)
    hanging = process_of_rank(1, run)
    os.kill(hanging, signal.SIGSTOP)
    until = time.monotonic() + 60
    while "did not answer" not in log.read_text() and time.monotonic() < until:
        time.sleep(0.5)
    os.kill(hanging, signal.SIGKILL)  # torchrun would do so 30 seconds after its SIGTERM
    process.wait(timeout=60)
    text = log.read_text()
    assert "stopped: rank 1 did not answer within 8 s (rank_timeout)" in text, text
    assert text.count("stopped: ") == 1
    assert read_status(run / "status.json")["status"] == "failed"


def test_two_agents_on_loopback_train_as_two_nodes(tmp_path: Path) -> None:
    run, port = tmp_path / "run", free_port()
    agents = []
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
    codes = [agent.wait(timeout=200) for agent in agents]
    assert codes == [0, 0], (tmp_path / "log0").read_text() + (tmp_path / "log1").read_text()
    assert "preflight: 2 ranks, 1 a node" in (tmp_path / "log0").read_text()
    assert (run / "test.json").exists()
