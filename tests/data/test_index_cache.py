"""Indices that are kept: taken while the folder is as it was, and noticed when it is not."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from resnet_zoo.data import index_cache, scan
from resnet_zoo.data.array_file import DamagedFile, read_arrays, write_arrays
from resnet_zoo.data.index import ImageIndex
from resnet_zoo.data.patience import ask
from resnet_zoo.data.scan import index_classes

CLASSES = ["cat", "dog", "owl"]
MakeFolder = Callable[..., Path]


@pytest.fixture
def split(make_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A split that has been left alone for a while, and counts as large."""
    monkeypatch.setattr(index_cache, "WORTH_REMEMBERING", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = make_folder(["train"]) / "train"
    (folder / "dog" / "more").mkdir()
    (folder / "dog" / "more" / "a.jpg").write_bytes(b"x")
    settle(folder)
    return folder


def settle(folder: Path) -> None:
    """Let every folder have been changed for the last time an hour ago, or longer if it was."""
    for place in [path for path in folder.rglob("*") if path.is_dir()]:
        before = place.stat().st_mtime - 3600
        os.utime(place, (before, before))


def was_listed(split: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the next indexing lists the files, and if it does not, that it finds what listing would find."""
    listed: list[str] = []
    search = scan._search
    monkeypatch.setattr(scan, "_search", lambda *args: listed.append("") or search(*args))
    index = index_classes(str(split), CLASSES)
    monkeypatch.setattr(scan, "_search", search)
    fresh = ImageIndex.joined(
        str(split), [search(str(split), label, name)[0] for label, name in enumerate(CLASSES)]
    )
    assert index.fingerprint() == fresh.fingerprint()
    assert [index.name(i) for i in range(len(index))] == [fresh.name(i) for i in range(len(fresh))]
    return bool(listed)


def test_the_second_start_takes_what_the_first_kept(split: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert was_listed(split, monkeypatch)
    assert not was_listed(split, monkeypatch)
    assert index_classes(str(split), CLASSES[::-1]).labels[0] == 0  # other classes are another index
    assert not was_listed(split, monkeypatch)


CHANGES: dict[str, Callable[[Path], object]] = {
    "added": lambda split: (split / "owl" / "new.jpg").write_bytes(b"x"),
    "added deep inside": lambda split: (split / "dog" / "more" / "b.jpg").write_bytes(b"x"),
    "removed": lambda split: (split / "cat" / "000.jpg").unlink(),
    "renamed": lambda split: (split / "cat" / "000.jpg").rename(split / "cat" / "a.jpg"),
    "resized in place": lambda split: os.truncate(split / "cat" / "001.jpg", 5000),
    "emptied in place": lambda split: os.truncate(split / "dog" / "001.jpg", 0),
    "in a new folder": lambda split: (split / "cat" / "more").mkdir(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_noticed(change: str, split: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert was_listed(split, monkeypatch)
    CHANGES[change](split)
    assert was_listed(split, monkeypatch)


def test_a_folder_that_changed_just_now_is_listed_again(split: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_cache, "SETTLED_SECONDS", 1800.0)  # the others were left alone for an hour
    os.utime(split / "cat")
    assert was_listed(split, monkeypatch)
    assert was_listed(split, monkeypatch)


def test_it_is_never_required(
    split: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert was_listed(split, monkeypatch)
    assert "to be done again at every start, since" in capsys.readouterr().err


def test_a_damaged_one_is_made_anew(split: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index_classes(str(split), CLASSES)
    (kept,) = tmp_path.glob("cache/resnet-zoo/index/*")
    content = bytearray(kept.read_bytes())
    content[-1] ^= 1
    kept.write_bytes(content)
    assert was_listed(split, monkeypatch)
    assert not was_listed(split, monkeypatch)


def test_what_is_sent_to_another_process_is_where_to_map_it_from(split: Path) -> None:
    index_classes(str(split), CLASSES)
    index = index_classes(str(split), CLASSES)
    assert len(pickle.dumps(index)) < 500
    received = pickle.loads(pickle.dumps(index))
    assert received.fingerprint() == index.fingerprint()
    assert not any(array.flags.owndata for array in received.arrays.values())


def test_a_mapped_index_that_was_replaced_is_refused(split: Path) -> None:
    sent = pickle.dumps(index_classes(str(split), CLASSES))
    (split / "cat" / "000.jpg").unlink()
    index_classes(str(split), CLASSES)
    with pytest.raises(DamagedFile, match="was replaced while it was in use"):
        pickle.loads(sent)


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    arrays = {
        "a": np.arange(5, dtype=np.int64),
        "empty": np.array([], np.uint8),
        "b": np.array([1, 255], np.uint8),
    }
    write_arrays(tmp_path / "file", arrays, {"told": "größe"})
    file = read_arrays(tmp_path / "file")
    assert file.about == {"told": "größe"}
    for name, array in arrays.items():
        assert file.arrays[name].dtype == array.dtype
        assert file.arrays[name].tolist() == array.tolist()
    for length in (0, 10, 100, (tmp_path / "file").stat().st_size - 1):
        (tmp_path / "short").write_bytes((tmp_path / "file").read_bytes()[:length])
        with pytest.raises(DamagedFile, match="is damaged"):
            read_arrays(tmp_path / "short")


def test_no_byte_of_a_file_changes_unnoticed(tmp_path: Path) -> None:
    write_arrays(tmp_path / "file", {"a": np.arange(5), "b": np.array([1, 255], np.uint8)}, {"told": 1})
    content = (tmp_path / "file").read_bytes()
    for place in range(len(content)):
        altered = bytearray(content)
        altered[place] ^= 1
        (tmp_path / "altered").write_bytes(altered)
        with pytest.raises(DamagedFile, match="is damaged"):
            read_arrays(tmp_path / "altered")


@pytest.mark.parametrize("waiting", [0.0, 1.1])
def test_answers_come_in_order_with_and_without_threads(
    waiting: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resnet_zoo.data.patience.WAITING", waiting)
    monkeypatch.setattr("resnet_zoo.data.patience.TRIAL_SECONDS", 0.0)
    assert list(ask(lambda number: number * 2, range(50))) == list(range(0, 100, 2))
    assert list(ask(str, [])) == []
