"""``resnet-zoo benchmark scaling``: which ranks are measured, what is made of their times, and that they train."""

from __future__ import annotations

import argparse
import json
import multiprocessing
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

from resnet_zoo.cli import benchmark_scaling
from resnet_zoo.cli.benchmark_scaling import as_text, record_of_turns, world_sizes
from resnet_zoo.cli.free_memory import resident_memory
from resnet_zoo.cli.launch import detect
from resnet_zoo.cli.main import main
from resnet_zoo.cli.out_of_memory import OutOfMemory
from resnet_zoo.cli.timing import scaling
from resnet_zoo.cli.timing.fitted import train_in
from resnet_zoo.cli.timing.job import Job
from resnet_zoo.cli.timing.paced import PacedTraining
from resnet_zoo.cli.timing.rank_group import RankGroup
from resnet_zoo.cli.timing.scaling import Turns, take_turns_as_started
from resnet_zoo.errors import InvalidValue, SaidElsewhere
from tests.ranks import run_on_ranks

TINY = ["--depth", "1", "--width", "8", "--image_size", "8", "--batch-size", "4", "--accelerator", "cpu"]
JOB = Job("plain_mlp", 8, 10, 4, "32-true", "cpu", {"depth": 1, "width": 8, "image_size": 8})
CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("given", "devices", "sizes"),
    [
        (None, 1, [1]),
        (None, 2, [1, 2]),
        (None, 7, [1, 2, 4]),
        (None, 8, [1, 2, 4, 8]),
        ("2", 4, [1, 2]),
        ("4,1,2", 4, [1, 2, 4]),
    ],
)
def test_one_rank_is_always_measured(given: str | None, devices: int, sizes: list[int]) -> None:
    assert world_sizes(given, "cuda", devices) == (sizes, [])


def test_cores_may_be_shared_with_a_note_and_gpus_not() -> None:
    sizes, notes = world_sizes("3", "cpu", 2)
    assert sizes == [1, 3]
    assert "more ranks than the 2 cores" in notes[0]
    with pytest.raises(
        InvalidValue, match="3 ranks need as many devices, and this machine has 2 of kind cuda"
    ):
        world_sizes("3", "cuda", 2)


def test_more_processes_than_memory_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark_scaling, "resident_memory", lambda: 2**30)
    monkeypatch.setattr(benchmark_scaling, "free_memory", lambda: 10 * 2**30)
    assert world_sizes("10", "cpu", 2)[0] == [1, 10]
    with pytest.raises(
        InvalidValue, match=r"11 ranks .* takes about 1\.0 GiB .* 10\.0 GiB are free. Use at most 10\."
    ):
        world_sizes("11", "cpu", 2)


def test_what_this_process_has_is_known() -> None:
    grown = torch.ones(50, 2**20, dtype=torch.uint8)
    assert (resident_memory() or 2**30) > grown.numel()


@pytest.mark.parametrize("given", ["0", "1,two", "", "1,,2", "-1", "1.5"])
def test_what_is_no_number_of_ranks_is_refused(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "scaling", "--backbone", "plain_mlp", *TINY, f"--world-sizes={given}"]) == 2
    assert "is not a number of ranks" in capsys.readouterr().err


def test_efficiency_and_communication_are_formed_round_by_round() -> None:
    turns = Turns({1: [1.0, 2.0, 4.0], 2: [2.0, 2.5, 5.0]}, {2: [1.0, 2.0, 4.0]})
    options = argparse.Namespace(steps=3, rounds=3)
    record = record_of_turns(JOB, ["a note"], turns, options)
    one, two = record["results"]
    assert (one["images_per_second"], two["images_per_second"]) == (4 / 2.0, 2 * 4 / 2.5)
    assert one["efficiency"] == {"median": 1.0, "least": 1.0, "most": 1.0}
    assert one["communication"] is None
    assert two["efficiency"] == pytest.approx({"median": 0.8, "least": 0.5, "most": 0.8})
    assert two["communication"] == pytest.approx({"median": 0.2, "least": 0.2, "most": 0.5})
    text = as_text(record)
    assert "a note" in text
    assert text.splitlines()[-1].split()[-2:] == ["80.0%", "20.0%"]
    alone = record_of_turns(JOB, [], Turns({2: [1.0]}, {2: [0.9]}), options)
    assert alone["results"][0]["efficiency"] is None
    assert as_text(alone).endswith("10.0%")


def test_a_training_waits_for_each_turn(tmp_path: Path) -> None:
    told: list[Any] = []

    def next_turn() -> bool:
        told.append("begin")
        return True

    job = Job(**{**vars(JOB), "updates": 6})
    train_in(tmp_path / "run", PacedTraining(2, next_turn, told.append), job)
    assert told[::2] == ["begin"] * 3
    assert all(seconds > 0 for seconds in told[1::2])


class _Watched(PacedTraining):
    """Notes the last gradients of every turn."""

    gradients: list[list[float]]

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        super().on_train_batch_end(trainer, pl_module, *args)
        if trainer.global_step % self.steps == 0:
            flat = [value.grad.flatten() for value in pl_module.parameters() if value.grad is not None]
            self.gradients.append(torch.cat(flat).tolist())


def _of_this_rank() -> tuple[list[list[float]], dict[int, list[float]], dict[int, list[float]]]:
    _Watched.gradients = []
    scaling.PacedTraining = _Watched  # type: ignore[misc]
    turns = take_turns_as_started(JOB, detect(), 2, 2)
    return _Watched.gradients, turns.together, turns.apart


def test_ranks_exchange_gradients_in_every_other_turn() -> None:
    (first, together, apart), (second, *same) = run_on_ranks(2, _of_this_rank)
    assert [together, apart] == same
    assert len(together[2]) == len(apart[2]) == 2
    equal = [ours == theirs for ours, theirs in zip(first, second, strict=True)]
    assert equal == [True, False] * 3


def test_a_rank_s_mistake_is_raised_here_and_not_that_of_one_that_leaves_it_to_others() -> None:
    def answers(said: list[Exception | float]) -> RankGroup:
        group = RankGroup.__new__(RankGroup)
        group._closing, group._processes, group._pipes = ExitStack(), [], []
        for answer in said:
            here, there = multiprocessing.Pipe()
            there.send(answer)
            group._pipes.append(here)
            group._closing.callback(there.close)
        return group

    with pytest.raises(OutOfMemory, match="too large"):
        answers([SaidElsewhere(), OutOfMemory("too large"), 1.0]).turn(synchronised=True)
    assert answers([1.0, 3.0, 2.0]).turn(synchronised=False) == 3.0


@pytest.mark.slow
def test_one_rank_and_two_gloo_ranks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = tmp_path / "scaling.json"
    words = ["benchmark", "scaling", "--backbone", "plain_mlp", *TINY, "--steps", "2", "--rounds", "2"]
    assert main([*words, "--world-sizes", "2", "--json", "--save", str(saved)]) == 0
    record = json.loads(capsys.readouterr().out)
    assert json.loads(saved.read_text()) == [record]
    assert record["backend"] == "gloo"
    one, two = record["results"]
    assert (one["world_size"], two["world_size"]) == (1, 2)
    assert (one["global_batch_size"], two["global_batch_size"]) == (4, 8)
    assert two["communication"]["median"] < 1
    assert 0 < two["efficiency"]["least"] <= two["efficiency"]["median"] <= two["efficiency"]["most"]
