"""What a launcher started is compared with what the config asks for, before anything is built."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from resnet_zoo.cli.arguments import Arguments
from resnet_zoo.cli.launch import Launch
from resnet_zoo.cli.main import main
from resnet_zoo.cli.preflight import check_launch, check_room, follow_launcher
from resnet_zoo.errors import InvalidValue
from tests.ranks import run_on_ranks

TORCHRUN = Launch("torchrun", 0, 4, 2)
SLURM = Launch("slurm", 0, 4, 2)


def given(**trainer: Any) -> Arguments:
    return Arguments(options=[f"--trainer.{key}={value}" for key, value in trainer.items()])


@pytest.mark.parametrize(
    ("launch", "trainer", "message"),
    [
        (
            TORCHRUN,
            {"devices": 4},
            r"trainer.devices=4, but torchrun started 2 processes a node .*--nproc-per-node=4",
        ),
        (TORCHRUN, {"num_nodes": 3}, r"trainer.num_nodes=3, but torchrun started on 2 .*Use --nnodes=3"),
        (Launch("torchrun", 0, 2, 2), {"num_nodes": 2}, r"WORLD_SIZE=2, LOCAL_WORLD_SIZE=2.*--nnodes=2"),
        (SLURM, {"devices": 8}, r"SLURM_NTASKS=4 over SLURM_NNODES=2.*--ntasks-per-node=8"),
        (SLURM, {"num_nodes": 1}, r"trainer.num_nodes=1, but slurm started on 2 .*--nodes=1"),
        (Launch("none"), {"num_nodes": 2}, "trainer.num_nodes=2, but no launcher started this process"),
    ],
)
def test_what_was_started_must_be_what_was_asked_for(
    launch: Launch, trainer: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_STEP_ID", "0")
    monkeypatch.setenv("SLURM_NNODES", "2")
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "2")
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    with pytest.raises(InvalidValue, match=message):
        check_launch(launch, given(**trainer))
    check_launch(launch, given())
    check_launch(launch, given(devices="auto"))


@pytest.mark.parametrize("devices", [1, "1", [0]])
def test_a_number_of_devices_is_compared_in_whatever_form_it_comes(devices: Any) -> None:
    with pytest.raises(
        InvalidValue, match=r"trainer.devices=1, but torchrun started 2 .*WORLD_SIZE=4, LOCAL_WORLD_SIZE=2"
    ):
        follow_launcher(TORCHRUN, Namespace(devices=devices, num_nodes=2))


@pytest.mark.parametrize("devices", ["auto", -1, "-1"])
def test_devices_without_a_number_are_those_that_were_started(devices: Any) -> None:
    trainer = Namespace(devices=devices, num_nodes=2)
    follow_launcher(TORCHRUN, trainer)
    assert trainer.devices == 2


@pytest.mark.parametrize("words", [["--config", "{folder}/one.yaml"], ["--trainer", "{devices: 1}"]])
def test_one_device_for_two_ranks_ends_both_with_one_sentence(
    words: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.yaml").write_text("trainer: {devices: 1}\n")
    given = [
        "fit",
        "--config",
        "quickstart",
        "--trainer.accelerator",
        "cpu",
        "--run_dir",
        str(tmp_path / "run"),
    ]
    given += [word.replace("{folder}", str(tmp_path)) for word in words]
    assert run_on_ranks(2, main, given) == [2, 2]
    shown = capfd.readouterr().err
    assert shown.count("trainer.devices=1, but torchrun started 2 processes a node (WORLD_SIZE=2") == 1
    assert "Traceback" not in shown
    assert not (tmp_path / "run").exists()


def test_one_process_where_the_config_has_nodes_names_slurms_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "1")
    with pytest.raises(InvalidValue, match="SLURM_NTASKS=1: SLURM started one process"):
        check_launch(Launch("none"), given(num_nodes=2))


def test_a_batch_script_without_srun_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_STEP_ID", raising=False)
    with pytest.raises(InvalidValue, match="SLURM_NTASKS=4, but this process was not started by srun"):
        check_launch(SLURM, given())


def test_tasks_that_do_not_divide_over_the_nodes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_STEP_ID", "0")
    monkeypatch.setenv("SLURM_NNODES", "2")
    with pytest.raises(InvalidValue, match="SLURM_NTASKS=3 tasks do not divide over SLURM_NNODES=2"):
        check_launch(Launch("slurm", 0, 3, 1), given())


def test_tasks_without_a_number_per_node_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_STEP_ID", "0")
    monkeypatch.setenv("SLURM_NNODES", "2")
    with pytest.raises(
        InvalidValue, match=r"SLURM_NTASKS=4, but SLURM_NTASKS_PER_NODE .*--ntasks-per-node=2"
    ):
        check_launch(SLURM, given())


def test_too_little_disk_is_refused(tmp_path: Path) -> None:
    check_room(tmp_path, 1000)
    with pytest.raises(InvalidValue, match=r"MB of free disk, the checkpoints of this run may take"):
        check_room(tmp_path, 10**15)
