"""``resnet-zoo benchmark batch``, and what is said when a training does not fit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from resnet_zoo.classifier import ImageClassifier
from resnet_zoo.cli import benchmark_batch
from resnet_zoo.cli.benchmark_batch import fits, largest_that_fits
from resnet_zoo.cli.main import main
from resnet_zoo.cli.timing.job import Job

TINY_FIT = [
    "fit", "--model.backbone", "plain_mlp", "--model.backbone.image_size", "8", "--data", "Synthetic",
    "--data.image_size", "8", "--data.num_train", "64", "--data.global_batch_size", "32", "--trainer.max_epochs", "1",
    "--trainer.accelerator", "cpu", "--trainer.accumulate_grad_batches", "2", "--logger", "none",
]  # fmt: skip


@pytest.mark.parametrize("most", [1, 7, 64, 100])
@pytest.mark.parametrize("limit", [0, 1, 2, 3, 31, 32, 33, 63, 64, 99, 1000])
def test_the_search_ends_at_the_limit(limit: int, most: int) -> None:
    tried: list[int] = []

    def fits_size(size: int) -> bool:
        tried.append(size)
        return size <= limit

    assert largest_that_fits(fits_size, most) == min(limit, most)
    assert max(tried) <= max(most, 1)
    assert len(tried) == len(set(tried)) <= 15


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Job:
    """On a device whose memory ends at 37 images."""

    def train_once(job: Job) -> int:
        if job.batch_size > 37:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return 10 * job.batch_size

    monkeypatch.setattr(benchmark_batch, "train_once", train_once)
    return Job("plain_mlp", 8, 10, 1, "32-true", "cuda")


def test_a_size_fits_unless_the_device_runs_out_of_memory(job: Job) -> None:
    known: dict[int, int] = {}
    assert largest_that_fits(lambda size: fits(Job(**{**vars(job), "batch_size": size}), known), 1000) == 37
    assert known[37] == 370


def test_the_search_on_a_device_with_a_limit(job: Job) -> None:
    """What ``main`` does on a GPU."""
    for most, largest in ((1000, 37), (20, 20)):
        found = benchmark_batch.search(job, most)
        assert found == {"largest_batch": largest, "bytes": 10 * largest, "estimated_for": None}


MLP = ("--backbone", "plain_mlp", "--image_size", "8", "--accelerator", "cpu")


def test_without_a_gpu_it_is_estimated_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "batch", *MLP, "--memory", "1", "--most", "1000000000", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    need, memory = record["need"], record["estimated_for"]
    assert memory == 2**30
    assert record["bytes"] <= memory < record["bytes"] + need["per_image"]
    # Images, and the output of every layer, at the least.
    assert need["per_image"] >= 4 * (3 * 8 * 8 + 10 * 71)
    assert main(["benchmark", "batch", *MLP, "--most", "50"]) == 0
    said = capsys.readouterr().out
    assert "an estimated 50 images a step" in said
    assert "Only tensors are counted" in said


def test_checkpointing_makes_room(capsys: pytest.CaptureFixture[str]) -> None:
    needs = []
    for chosen in ("none", "all"):
        words = [
            "--backbone",
            "resnet_cifar",
            "--depth",
            "32",
            "--width",
            "4",
            "--image-size",
            "8",
            "--memory",
            "1",
            "--json",
        ]
        assert (
            main(["benchmark", "batch", *words, "--accelerator", "cpu", "--activation-checkpointing", chosen])
            == 0
        )
        needs.append(json.loads(capsys.readouterr().out)["need"])
    assert needs[1]["per_image"] < needs[0]["per_image"] / 1.5


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="a process's memory is read as Linux says it"
)
def test_the_estimate_is_what_a_process_takes() -> None:
    """The growth of a process in real steps; tensors are most of it."""
    program = """
from resnet_zoo.cli.timing.job import Job
from resnet_zoo.cli.timing.tensor_memory import MemoryNeed
from resnet_zoo.cli.timing.training_step import TrainingStep
from dataclasses import replace

def status(key):
    return 1024 * next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(key))

job = Job("resnet56_cifar", 32, 10, 1, "32-true", "cpu")
need = MemoryNeed(lambda images: TrainingStep(replace(job, batch_size=images)))
before, step = status("VmRSS"), TrainingStep(replace(job, batch_size=128))
step(), step()
print(need.peak(128).at(128), status("VmHWM") - before)
"""
    words = [sys.executable, "-c", program]
    answer = subprocess.run(words, capture_output=True, text=True, check=True, timeout=300)
    estimated, grown = map(int, answer.stdout.split())
    assert estimated == pytest.approx(grown, rel=0.25)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes."),
    ],
)
def test_a_training_that_does_not_fit_names_batch_and_command(
    error: RuntimeError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(ImageClassifier, "forward", fail)
    assert main([*TINY_FIT, "--run_dir", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert "out of memory with 16 images of 8x8 pixels" in said
    assert "global batch 32 = 16 images x 1 ranks x 2 accumulated" in said
    assert (
        "'resnet-zoo benchmark batch --backbone plain_mlp --image_size 8 --image-size 8 --precision 32-true' finds"
        in said
    )
    assert "--model.activation_checkpointing all keeps fewer activations" in said
    assert json.loads((tmp_path / "run" / "status.json").read_text())["status"] == "failed"


def test_other_failures_stay_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(ImageClassifier, "forward", fail)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        main([*TINY_FIT, "--run_dir", str(tmp_path / "run")])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_the_largest_batch_on_a_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "batch", "--backbone", "resnet20_cifar", "--most", "64", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["largest_batch"] == 64
    assert record["bytes"] > 0
