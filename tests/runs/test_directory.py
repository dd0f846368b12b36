"""Run directories: numbers are unique, and nobody touches another run's files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from resnet_zoo.errors import InvalidValue
from resnet_zoo.runs import RunDirectory


def test_the_layout_is_the_promised_one(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    names = [p.name for p in (run.config, run.record, run.metrics, run.checkpoints, run.status, run.wandb_id)]
    assert names == ["config.yaml", "record.json", "metrics.csv", "checkpoints", "status.json", "wandb_id"]
    assert [run.result(split).name for split in ("val", "test")] == ["validate.json", "test.json"]
    assert list(tmp_path.iterdir()) == []


def test_numbers_count_up_within_a_config_name(tmp_path: Path) -> None:
    paths = [RunDirectory.create(tmp_path / "runs", name).path for name in ("a", "a", "b", "a")]
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        "runs/a/1",
        "runs/a/2",
        "runs/b/1",
        "runs/a/3",
    ]
    assert all(path.is_dir() for path in paths)


def test_a_deleted_runs_number_is_not_given_out_again(tmp_path: Path) -> None:
    last = [RunDirectory.create(tmp_path, "a").path for _ in range(3)][-1]
    last.rmdir()
    assert RunDirectory.create(tmp_path, "a").path.name == "4"


def test_other_things_in_the_folder_do_not_count(tmp_path: Path) -> None:
    for name in ("7", "notes", "9x"):
        (tmp_path / "a" / name).mkdir(parents=True)
    assert RunDirectory.create(tmp_path, "a").path.name == "8"


def test_many_at_once_get_a_folder_each(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: RunDirectory.create(tmp_path, "a").path, range(40)))
    assert len(set(runs)) == 40


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "/a"])
def test_a_name_that_is_no_folder_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidValue, match="does not serve as a folder name"):
        RunDirectory.create(tmp_path, name)


def test_a_chosen_folder_is_made_and_may_be_used_again_until_it_holds_a_run(tmp_path: Path) -> None:
    path = tmp_path / "new" / "run"
    run = RunDirectory.at(path)
    assert RunDirectory.at(path) == run
    assert list(path.iterdir()) == []


@pytest.mark.parametrize("trace", ["config.yaml", "record.json", "metrics.csv", "checkpoints/last.ckpt"])
def test_a_second_run_never_touches_the_first_ones_directory(tmp_path: Path, trace: str) -> None:
    (tmp_path / trace).parent.mkdir(exist_ok=True)
    (tmp_path / trace).touch()
    with pytest.raises(InvalidValue, match=r"already holds a run .*--resume auto") as error:
        RunDirectory.at(tmp_path)
    assert trace.split("/", maxsplit=1)[0] in str(error.value)
    assert RunDirectory.at(tmp_path, resume=True).path == tmp_path


def test_a_place_where_no_folder_can_be_made_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidValue, match="cannot be made or written to: Not a directory"):
        RunDirectory.at(tmp_path / "file" / "run")
    with pytest.raises(InvalidValue, match="Choose a writable place with --run_dir"):
        RunDirectory.create(tmp_path / "file", "a")

    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(InvalidValue, match="Permission denied"):
        RunDirectory.at(tmp_path)
