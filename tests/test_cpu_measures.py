"""``benchmarks/cpu_measures.py``: the measures are taken, and what they change is seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks import cpu_measures
from benchmarks.cpu_measures import ALL, LOOPS, USUAL, MeasuredLoop, Training
from resnet_zoo.cli.timing.job import Job

KEPT = "memory kept alone"
JOB = Job("resnet20_cifar", 16, 10, 2, "32-true", "cpu", updates=4)


def test_each_loop_differs_from_what_it_is_compared_with_in_one_measure() -> None:
    names = ("channels_last", "in_place", "kept", "fused", "flushed")
    for name, measures in LOOPS.items():
        other = LOOPS[measures.compared_with]
        changed = [each for each in names if getattr(measures, each) != getattr(other, each)]
        assert len(changed) == (0 if name == USUAL else 1), name


def test_measures_are_taken() -> None:
    usual, fused = (MeasuredLoop(JOB, LOOPS[name]) for name in (USUAL, "all three, fused SGD"))
    stem = next(module for module in fused.net.modules() if isinstance(module, nn.Conv2d))
    assert stem.weight.is_contiguous(memory_format=torch.channels_last)
    assert fused.optimizer.defaults["fused"]
    assert not usual.optimizer.defaults["fused"]
    in_place = [{m.inplace for m in loop.net.modules() if isinstance(m, nn.ReLU)} for loop in (usual, fused)]
    assert in_place == [{False}, {True}]


def test_weights_of_the_first_turn_are_left(tmp_path: Path) -> None:
    trained = {}
    for name in (USUAL, ALL):
        file = tmp_path / f"{name}.pt"
        Training(LOOPS[name], file)(JOB, iter([1, 1]))
        trained[name] = torch.load(file)
    assert len(trained[USUAL]) == sum(p.numel() for p in MeasuredLoop(JOB, LOOPS[USUAL]).net.parameters())
    torch.testing.assert_close(trained[USUAL], trained[ALL])


@pytest.mark.slow
def test_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_measures, "LOOPS", {name: LOOPS[name] for name in (USUAL, KEPT)})
    monkeypatch.setattr(cpu_measures, "RESULT", tmp_path / "record.json")
    words = ["--image-size", "16", "--batch-size", "2", "--steps", "1", "--rounds", "1", "--write"]
    for _ in range(2):
        cpu_measures.main(words)
    [record] = json.loads((tmp_path / "record.json").read_text())
    usual, kept = record["loops"]
    assert (usual["name"], kept["name"]) == (USUAL, KEPT)
    assert usual["times_the_usual"] == {"median": 1, "least": 1, "most": 1}
    assert kept["largest_difference"] == 0
