"""Ranks that stay away, that differ or that lack what the others have are named, and all ranks end, in bounded time."""

from __future__ import annotations

import itertools
import os
import platform
import socket
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from resnet_zoo.cli import preflight, rendezvous
from resnet_zoo.cli.arguments import Arguments
from resnet_zoo.cli.launch import Launch, detect
from resnet_zoo.cli.main import main
from resnet_zoo.cli.preflight import check_agreement, together
from resnet_zoo.cli.rank_failures import is_loss_of_another_rank
from resnet_zoo.cli.rendezvous import connect
from resnet_zoo.errors import InvalidValue, SaidElsewhere
from tests.ranks import run_on_ranks
from tests.tiny_runs import fit_words


class Clock:
    """Every look at it finds a tenth of the patience gone; sleeping takes no time."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += rendezvous.ARRIVAL_SECONDS / 10
        return self.now

    def sleep(self, seconds: float) -> None:
        """Nothing: the next look is later anyway."""


@pytest.mark.parametrize(
    ("launcher", "source"),
    [
        ("torchrun", "WORLD_SIZE=3 is --nnodes times --nproc-per-node"),
        ("slurm", "SLURM_NTASKS=3 says how many there are"),
    ],
)
def test_ranks_that_do_not_arrive_are_named(
    launcher: Any, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(rendezvous, "time", clock)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "0")  # one that is free
    monkeypatch.setenv("SLURM_NTASKS", "3")
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "3")
    with pytest.raises(
        InvalidValue, match=rf"1 of 3 ranks arrived within 30 s \(0 on {platform.node()}\); missing: 1, 2"
    ) as error:
        connect(Launch(launcher, 0, 3, 3), "cpu", 60)
    assert source in str(error.value)
    assert 30 < clock.now < 40


def test_a_world_that_is_too_large_is_a_sentence_and_leaves_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_on_ranks(1, _fit_in_a_larger_world, fit_words(tmp_path / "run")) == [2]
    assert "1 of 2 ranks arrived within 30 s" in capfd.readouterr().err
    assert not (tmp_path / "run").exists()


def _fit_in_a_larger_world(words: list[str]) -> int:
    rendezvous.time = Clock()  # type: ignore[assignment]
    os.environ["WORLD_SIZE"] = "2"
    return main(words)


def test_a_port_that_is_taken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
        monkeypatch.setenv("MASTER_PORT", str(port))
        with pytest.raises(InvalidValue, match=rf"port {port} is in use .*Set MASTER_PORT to a free port"):
            connect(Launch("torchrun", 0, 2, 2), "cpu", 60, patience=1.0)


def test_a_master_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as silent:  # it holds the port and does not listen
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
        monkeypatch.setenv("MASTER_PORT", str(port))
        with pytest.raises(
            InvalidValue, match=rf"got no answer from rank 0 .*MASTER_ADDR=127.0.0.1, MASTER_PORT={port}"
        ):
            connect(Launch("torchrun", 1, 2, 2), "cpu", 60, patience=1.0)


def test_a_single_process_agrees_with_itself() -> None:
    check_agreement(Launch("none"), data={"a": 1})
    assert together(Launch("none"), lambda: 7) == 7
    with pytest.raises(InvalidValue, match="as it was"):
        together(Launch("none"), _refuse)


def _refuse() -> int:
    raise InvalidValue("as it was")


def _what_a_rank_sees() -> list[str]:
    """Of a mistake of rank 1's, of one that both make, of different data, and of none."""
    launch = detect()
    connect(launch, "cpu", 60)
    seen = []
    for attempt in (
        lambda: together(launch, _refuse if launch.rank == 1 else lambda: 1),
        lambda: together(launch, _refuse),
        lambda: check_agreement(launch, code="1", data={"files": launch.rank}),
        lambda: preflight.check_ranks(launch, Arguments()),
    ):
        try:
            attempt()
            seen.append("passed")
        except SaidElsewhere:
            seen.append("said elsewhere")
        except InvalidValue as error:
            seen.append(str(error))
    return seen


def test_one_rank_tells_what_is_wrong_with_it_and_all_end() -> None:
    seen = run_on_ranks(2, _what_a_rank_sees)
    host = platform.node()
    assert seen[0][:2] == ["said elsewhere", "as it was"]
    assert seen[1][:2] == [f"rank 1 on {host}: as it was", "said elsewhere"]
    assert seen[0][2] == "said elsewhere"
    assert f"rank 1 on {host} has another data than rank 0 on {host}" in seen[1][2]
    assert seen[0][3] == seen[1][3] == "passed"


def _fit_where_one_node_lacks_the_data(words: list[str], folders: list[Path]) -> int:
    os.chdir(folders[int(os.environ["RANK"])])
    return main(words)


def test_data_that_are_missing_on_one_node_end_all_ranks_with_its_name(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folders = [tmp_path / "node0", tmp_path / "node1"]
    for folder in folders:
        folder.mkdir()
    for split, label in itertools.product(("train", "val"), "ab"):
        place = folders[0] / "data" / split / label
        place.mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(place / "0.png")
    words = ["fit", "--config", "quickstart", "--trainer.accelerator", "cpu", "--data", "ImageFolder"]
    words += [
        "--data.global_batch_size",
        "2",
        "--data.root",
        "data",
        "--data.pipeline",
        "cifar",
        "--data.image_size",
        "8",
    ]
    assert run_on_ranks(2, _fit_where_one_node_lacks_the_data, words, folders) == [2, 2]
    shown = capfd.readouterr().err
    assert shown.count(f"rank 1 on {platform.node()}: ") == 1
    assert "'data'" in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (
            RuntimeError(
                "[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [::1]:1"
            ),
            True,
        ),
        (RuntimeError("Timed out waiting 20000ms for recv operation to complete"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("gloo"), False),
    ],
)
def test_the_loss_of_another_rank_is_told_from_a_mistake_of_ones_own(error: Exception, lost: bool) -> None:
    assert is_loss_of_another_rank(error) is lost
