"""Training under a real SLURM of two nodes: timed out, saved, requeued, gone on, and wrong requests refused."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

PROJECT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900), pytest.mark.xdist_group("slurm")]

SMALL = [
    "--config", "quickstart", "--model.backbone.width", "4", "--data.val_size", "200", "--trainer.accelerator", "cpu",
]  # fmt: skip
ENVIRONMENT = {
    "LAUNCH": f"{sys.executable} -m resnet_zoo",
    "PYTHONPATH": f"{PROJECT}:{Path(__file__).parent}",
    "WANDB_MODE": "offline",
}


def _checkpoint(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    return content


def test_a_job_that_times_out_is_saved_requeued_and_finished(cluster: Any, tmp_path: Path) -> None:
    run, twin, log = tmp_path / "run", tmp_path / "twin", tmp_path / "job.log"
    words = [*SMALL, "--logger", "wandb", "--trainer.max_epochs", "20"]
    # Long enough that the signal, a minute or two after the start, finds it in training.
    slow = ["--trainer.callbacks", "slow_updates.SlowUpdates", "--trainer.callbacks.seconds", "0.4"]
    job = cluster.ask(
        "sbatch", "--parsable", "--time=3", "--signal=USR1@60", f"--output={log}",
        str(PROJECT / "scripts/slurm_multi_node.sbatch"), *words, *slow,
        environment={**ENVIRONMENT, "RUN_DIR": str(run)},
    )  # fmt: skip
    states = cluster.wait_for_end(job, 700)
    output = log.read_text()
    assert states[-1].startswith("COMPLETED"), output
    assert any(state.startswith("PENDING BeginTime") for state in states), states
    stopped = re.search(
        r"Stopped by SIGUSR1 after update (\d+) \(epoch \d+\); saved to '.*last.ckpt'", output
    )
    assert stopped is not None, output
    assert f"last.ckpt': update {stopped[1]}, epoch" in output
    assert "srun ended with 85, the run is preempted (start number 1)" in output
    assert "srun ended with 0, the run is finished" in output
    assert json.loads((run / "status.json").read_text())["status"] == "finished"

    segments = [path.name for path in (run / "wandb").glob("offline-run-*")]
    wandb_id = (run / "wandb_id").read_text().strip()
    assert len(segments) >= 2
    assert {name.rpartition("-")[2] for name in segments} == {wandb_id}

    cluster.ask(
        "srun", "--nodes=2", "--ntasks-per-node=1", *ENVIRONMENT["LAUNCH"].split(), "fit", *words, "--logger=none",
        "--run_dir", str(twin), timeout=300, environment=ENVIRONMENT,
    )  # fmt: skip
    ours, theirs = _checkpoint(run), _checkpoint(twin)
    assert ours["global_step"] == theirs["global_step"]
    assert all(torch.equal(ours["state_dict"][key], value) for key, value in theirs["state_dict"].items())
    results = [json.loads((folder / "test.json").read_text()) for folder in (run, twin)]
    assert results[0]["correct1"] == results[1]["correct1"]


@pytest.mark.parametrize(
    ("options", "words", "message"),
    [
        (
            ["--nodes=2", "--ntasks-per-node=1"],
            ["--trainer.devices", "2"],
            "SLURM_NTASKS=2 over SLURM_NNODES=2",
        ),
        (
            ["--nodes=1", "--ntasks=1"],
            ["--trainer.num_nodes", "2"],
            "trainer.num_nodes=2, but SLURM_NTASKS=1",
        ),
    ],
)
def test_tasks_that_do_not_match_the_config_are_refused_within_a_minute(
    options: list[str], words: list[str], message: str, cluster: Any, tmp_path: Path
) -> None:
    started = time.monotonic()
    command = [*ENVIRONMENT["LAUNCH"].split(), "fit", *SMALL, *words, "--run_dir", str(tmp_path / "run")]
    with pytest.raises(AssertionError, match=re.escape(message)):
        cluster.ask("srun", *options, *command, environment=ENVIRONMENT, timeout=150)
    assert time.monotonic() - started < 100
