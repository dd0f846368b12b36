"""``resnet-zoo benchmark step`` and ``model``: what is measured, and that contenders do the same work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

from resnet_zoo.cli import precision_choice
from resnet_zoo.cli.benchmark_step import CONTENDERS
from resnet_zoo.cli.main import main
from resnet_zoo.cli.timing import fitted
from resnet_zoo.cli.timing.contenders import NOTES, OWN_PROCESS
from resnet_zoo.cli.timing.fitted import OURS, TakingTurns, train_in_turns
from resnet_zoo.cli.timing.job import Job
from resnet_zoo.cli.timing.loops import BareLoop, TimmLoop, TorchvisionLoop
from resnet_zoo.cli.timing.own_process import InOwnProcess
from resnet_zoo.cli.timing.peaks import measured_peak, published_peak
from resnet_zoo.cli.timing.rounds import Spread, in_turns, seconds_of
from resnet_zoo.cli.timing.stock_lightning import StockModule, train_with_stock_lightning

TINY = ["--depth", "1", "--width", "8", "--image_size", "8", "--batch-size", "4", "--accelerator", "cpu"]
BEGIN = "resnet_zoo.cli.timing.contenders"
JOB = Job("plain_mlp", 8, 10, 4, "32-true", "cpu", {"depth": 1, "width": 8, "image_size": 8}, updates=6)


class SameStart(TakingTurns):
    """Gives the bare loop our weights before the first step and compares them after the last."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.others["bare"].net.load_state_dict(pl_module.state_dict())  # type: ignore[attr-defined]

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.ours = {name: value.clone() for name, value in pl_module.state_dict().items()}


def test_the_bare_loop_does_the_same_training() -> None:
    bare = BareLoop(JOB)
    start = {name: value.clone() for name, value in bare.net.state_dict().items()}
    turns = SameStart({"bare": bare}, 3, torch.device("cpu"))
    train_in_turns(turns, JOB)
    for name, value in bare.net.state_dict().items():
        assert not torch.equal(value, start[name])
        torch.testing.assert_close(value, turns.ours[name])


def test_every_turn_is_measured_but_the_first_and_others_are_not_in_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a clock on which nothing but the other contender's turns takes time."""
    now = 0.0

    class Slow:
        peak_bytes = None

        def __init__(self) -> None:
            self.turns: list[int] = []

        def run(self, steps: int) -> None:
            nonlocal now
            self.turns.append(steps)
            now += 0.5

    monkeypatch.setattr(fitted, "time", SimpleNamespace(perf_counter=lambda: now))
    monkeypatch.setattr(fitted, "seconds_of", partial(seconds_of, clock=lambda: now))
    slow = Slow()
    turns = TakingTurns({"slow": slow}, 2, torch.device("cpu"))
    train_in_turns(turns, JOB)
    assert slow.turns == [2, 2, 2]
    assert turns.seconds == {OURS: [0.0, 0.0], "slow": [0.25, 0.25]}


def test_a_record_of_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = tmp_path / "speed.json"
    words = ["benchmark", "step", "--backbone", "plain_mlp", *TINY, "--steps", "2", "--rounds", "2"]
    assert main([*words, "--compile", "auto", "--json", "--save", str(saved)]) == 0
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert json.loads(saved.read_text()) == [record]
    assert "ours has compiled: nothing" in record["notes"], "auto is for GPUs"
    ours, bare = record["results"]
    assert (ours["name"], bare["name"]) == (OURS, "bare")
    for each in (ours, bare):
        assert each["images_per_second"] == pytest.approx(4 / each["seconds"]["median"])
        assert 0 < each["seconds"]["least"] <= each["seconds"]["median"] <= each["seconds"]["most"]
    tax = record["tax"]
    assert tax["seconds"]["median"] == pytest.approx(
        ours["seconds"]["median"] - bare["seconds"]["median"], abs=1e-9
    )  # of two rounds the median is the mean
    assert tax["share"] == pytest.approx(tax["seconds"]["median"] / bare["seconds"]["median"])


def test_a_table_of_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["benchmark", "model", "--backbone", "plain_mlp", *TINY, "--steps", "1", "--rounds", "2"]) == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("plain_mlp, 8x8 pixels, batch 4")
    assert [line[:22].strip() for line in lines[-2:]] == ["forward", "forward and backward"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["step", "--backbone", "plain_mlp", "--against", "bear"], "'bare'"),
        (
            ["step", "--backbone", "resnet20_cifar", "--against", "torchvision"],
            "torchvision has no net named",
        ),
        (["step", "--backbone", "plain_mpl"], "'plain_mlp'"),
        (["model", "--backbone", "plain_mlp", "--batch-size", "0"], "at least 1"),
        (["batch", "--backbone", "plain_mlp", "--accelerator", "cpu", "--batch-size", "4"], "batch-size"),
        (["modle", "plain_mlp"], "'model'"),
        (
            ["step", "plain_mlp", "--accelerator", "cpu", "--save", "no/folder/x.json"],
            "--save no/folder/x.json: there is no folder",
        ),
        (
            ["model", "plain_mlp", "--accelerator", "cpu", "--save", "pyproject.toml"],
            "not a JSON file with a list",
        ),
        (["model", "plain_mlp", "--accelerator", "cpu", "--save", "docs"], "not a JSON file with a list"),
    ],
)
def test_mistakes_are_named_before_anything_runs(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_precision_that_is_lacking_is_refused_in_the_words_of_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(precision_choice, "bfloat16_instructions", lambda: None)
    words = ["plain_mlp", "--accelerator", "cpu", "--precision", "bf16-mixed"]
    assert main(["benchmark", "model", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("--precision bf16-mixed cannot be used: ")
    assert "Use 32-true, or auto" in said


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried to")])
@pytest.mark.parametrize(
    ("command", "place"), [("model", "resnet_zoo.cli.benchmark_model._passes"), ("step", f"{BEGIN}.begin")]
)
def test_what_does_not_fit_into_memory_is_told_with_the_command_that_finds_what_does(
    command: str,
    place: str,
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(place, fail)
    assert main(["benchmark", command, "--backbone", "plain_mlp", *TINY, "--precision", "32-true"]) == 2
    said = capsys.readouterr().err
    assert "out of memory with 4 images of 8x8 pixels on cpu" in said
    net = "--backbone plain_mlp --depth 1 --width 8 --image_size 8 --image-size 8 --precision 32-true"
    assert f"'resnet-zoo benchmark batch {net}' finds the largest number that fits" in said


def test_every_contender_that_can_be_named_is_there() -> None:
    assert set(CONTENDERS) == {"bare", *OWN_PROCESS} == set(NOTES)


def test_stock_lightning_trains_as_many_steps_as_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    step = StockModule.training_step

    def counted(self: StockModule, batch: Any, batch_idx: int) -> torch.Tensor:
        made.append(batch_idx)
        return step(self, batch, batch_idx)

    def turns() -> Iterator[int]:
        yield 4
        assert len(made) == 4
        yield 5
        assert len(made) == 9

    monkeypatch.setattr(StockModule, "training_step", counted)
    train_with_stock_lightning(JOB, turns())
    assert made == [0, 1, 2, 3, 4, 5, 0, 1, 2]  # in its second epoch


@pytest.mark.parametrize("kind", [TorchvisionLoop, TimmLoop])
def test_nets_of_others_are_trained(kind: type[TorchvisionLoop | TimmLoop]) -> None:
    if kind is TimmLoop:
        pytest.importorskip("timm")
    job = Job("resnet18", 32, 10, 2, "32-true", "cpu", updates=2)
    kind.check(job)
    loop = kind(job)
    before = [parameter.clone() for parameter in loop.net.parameters()]
    loop.run(1)
    assert all(parameter.isfinite().all() for parameter in loop.net.parameters())
    # not all of them: behind a scale that begins at 0, as timm's, nothing has a gradient yet
    assert not torch.equal(list(loop.net.parameters())[-1], before[-1])


def _fails(job: Job, turns: Iterator[int]) -> None:
    next(turns)
    raise FloatingPointError(f"no {job.backbone}")


@pytest.mark.slow
def test_what_goes_wrong_in_another_process_is_said_in_this_one() -> None:
    alone = InOwnProcess(_fails, JOB)
    with pytest.raises(RuntimeError, match="FloatingPointError: no plain_mlp"):
        alone.run(1)
    alone.close()


def test_contenders_take_turns_and_the_first_is_not_counted() -> None:
    turns: list[tuple[str, int]] = []
    contenders = {name: lambda steps, name=name: turns.append((name, steps)) for name in ("a", "b")}
    seconds = in_turns(contenders, 5, 2, torch.device("cpu"))
    assert turns == [("a", 5), ("b", 5)] * 3
    assert {name: len(values) for name, values in seconds.items()} == {"a": 2, "b": 2}


def test_a_spread_holds_median_and_extremes() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)


def test_peaks_are_found() -> None:
    assert measured_peak(torch.device("cpu"), torch.float32) > 1e8
    found = published_peak("NVIDIA H200", torch.bfloat16)
    assert found is not None
    assert found == published_peak("NVIDIA H100 80GB HBM3", torch.bfloat16)
    assert published_peak("Some CPU", torch.float32) is None


@pytest.mark.slow
def test_all_but_the_bare_loop_have_a_process_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["benchmark", "step", "--backbone", "plain_mlp", *TINY, "--steps", "2", "--rounds", "1"]
    assert main([*words, "--against", "usual,bare,lightning", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in record["results"]] == [OURS, "usual", "bare", "lightning"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_memory_and_bfloat16_on_a_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["benchmark", "step", "--backbone", "resnet20_cifar", "--steps", "2", "--rounds", "1", "--json"]
    assert main(words) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["precision"] == "bf16-mixed"
    assert all(each["bytes"] > 0 for each in record["results"])
