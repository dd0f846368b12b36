"""Writing packed data sets: stopped, continued, damaged, refused, read from elsewhere."""

from __future__ import annotations

import itertools
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from resnet_zoo.cli.main import main
from resnet_zoo.data import UnreadableImage
from resnet_zoo.data.array_file import DamagedFile
from resnet_zoo.data.packed import pack as packing
from resnet_zoo.data.packed import shard as writing
from resnet_zoo.data.packed.store import PackedStore
from resnet_zoo.data.packed.verify import verify
from resnet_zoo.errors import InvalidValue, MissingData
from tests.data.packed_sets import flip, folder, packed, same_batches

MakeFolder = Callable[..., Path]


def with_a_broken_image(make_folder: MakeFolder) -> Path:
    """A folder whose train/dog/001.jpg ends too early."""
    root = make_folder()
    broken = root / "train" / "dog" / "001.jpg"
    broken.write_bytes(broken.read_bytes()[:300])
    return root


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "IMAGES_PER_SHARD", 5)


@pytest.mark.usefixtures("small_shards")
def test_a_packing_that_was_stopped_continues(
    make_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder()
    whole = packed(root, tmp_path / "whole")
    encode, seen, calls = writing.encode, [], itertools.count(1)

    def stopping(*arguments: Any) -> Any:
        if next(calls) == 8:  # of one thread alone, whichever it is
            raise KeyboardInterrupt
        return encode(*arguments)

    monkeypatch.setattr(writing, "encode", stopping)
    target = tmp_path / "packed"
    with pytest.raises(KeyboardInterrupt):
        packed(root, target)
    (target / ".train-00001.shard.1.part").write_bytes(b"what a killed process leaves")
    with pytest.raises(
        InvalidValue, match=r"is not finished. Give the same 'resnet-zoo data pack' command again"
    ):
        folder(target)
    with pytest.raises(
        InvalidValue, match=r"of other images or with other options than .* with short_side=8"
    ):
        packed(root, target, short_side=8)
    done = (target / "train-00000.shard").stat().st_ino
    monkeypatch.setattr(writing, "encode", lambda *arguments: seen.append(arguments[1]) or encode(*arguments))
    packed(root, target)
    assert len(seen) == 24 - 5
    assert (target / "train-00000.shard").stat().st_ino == done
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {
        path.name: path.read_bytes() for path in whole.iterdir()
    }
    seen.clear()
    packed(root, target)  # once more is no work
    assert not seen
    (root / "train" / "cat" / "000.jpg").unlink()
    with pytest.raises(InvalidValue, match="holds a packed data set of other images"):
        packed(root, target)


@pytest.mark.usefixtures("small_shards")
def test_damage_is_refused_by_the_name_of_the_shard(
    make_folder: MakeFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = packed(make_folder(), tmp_path / "packed")
    assert main(["data", "pack", str(target), "--verify"]) == 0
    said = capsys.readouterr()
    assert "6 shards, every one as 'packed.json' says" in said.out
    assert "8 of 8 files verified" in said.err
    data = folder(target)
    flip(target / "train-00001.shard", 400)
    with pytest.raises(
        DamagedFile, match=r"the shard '.*train-00001.shard' is damaged: of the image '.*train/dog/001"
    ):
        list(data.train_dataloader())
    flip(target / "val.index", -1)
    with pytest.raises(
        DamagedFile, match=r"2 files were cut short or altered: 'train-00001.shard', 'val.index'"
    ):
        verify(str(target))
    with pytest.raises(DamagedFile, match=r"val.index' is damaged: its content does not have the checksum"):
        folder(target)
    flip(target / "val.index", -1)
    shard = target / "val-00002.shard"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(DamagedFile, match=r"the shard '.*val-00002.shard' is damaged: it has [\d,]+ bytes"):
        folder(target)
    shard.unlink()
    with pytest.raises(MissingData, match=r"the shard '.*val-00002.shard' cannot be read"):
        folder(target)
    (target / "packed.json").write_text("{")
    with pytest.raises(DamagedFile, match=r"packed.json' is damaged"):
        folder(target)


@pytest.mark.usefixtures("small_shards")
def test_the_doctor_looks_at_files_of_a_packed_data_set(
    make_folder: MakeFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = with_a_broken_image(make_folder)
    target = packed(root, tmp_path / "packed")
    words = ["data", "check", str(target)]
    assert main(words) == 3
    said, progress = capsys.readouterr()
    assert "8 of 8 files compared" in progress
    assert f"{target}: ImageFolder, packed, 3 classes, images: train 12, val 12" in said
    assert "ERROR    unreadable: 1" in said
    assert "train/dog/001.jpg  - it was so when it was packed" in said
    assert "1 errors, 0 warnings, 0 notes" in said
    assert main([*words, "--backbone", "resnet20_cifar"]) == 2
    assert f"benchmark data --config image_folder --data.root {target}" in capsys.readouterr().err
    flip(target / "train-00001.shard", 400)
    flip(target / "val.index", -1)
    (target / "val-00002.shard").unlink()
    for quick, altered in (([], 3), (["--quick"], 2)):  # sizes do not show a byte in the middle of a shard
        assert main([*words, "--json", *quick]) == 3
        record = json.loads(capsys.readouterr().out)
        assert record["packed"]
        assert record["images"] == {"train": 12}
        found = [Path(each["path"]).name for each in record["findings"] if each["kind"] == "altered"]
        assert sorted(found) == ["train-00001.shard", "val-00002.shard", "val.index"][-altered:]


def test_the_doctor_refuses_addresses_and_unfinished_packed_data_sets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "check", tmp_path.as_uri()]) == 2
    assert "is an address, and the doctor looks at folders" in capsys.readouterr().err
    (tmp_path / "packing.json").write_text("{}")
    assert main(["data", "check", str(tmp_path)]) == 2
    assert "is not finished. Give the same 'resnet-zoo data pack' command again" in capsys.readouterr().err


def test_an_image_that_cannot_be_decoded_stays_one(
    make_folder: MakeFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = with_a_broken_image(make_folder)
    for options in ([], ["--short-side", "20"], ["--short-side", "20", "--raw"]):
        target = tmp_path / f"packed{len(options)}"
        assert main(["data", "pack", str(root), str(target), *options]) == 1
        assert "cannot be decoded and is stored as it is: dog/001.jpg" in capsys.readouterr().err
        data = folder(target)
        with pytest.raises(UnreadableImage, match=r"train/dog/001.jpg"):
            data.source("train").fetch(torch.tensor([5]), torch.tensor([0]))
        assert data.num_samples == {"train": 12, "val": 12}


def test_a_file_that_cannot_be_opened_does_not_stop_the_packing(
    make_folder: MakeFolder, tmp_path: Path
) -> None:
    root = make_folder()
    (root / "train" / "cat" / "000.jpg").unlink()
    (root / "train" / "cat" / "000.jpg").symlink_to(tmp_path / "nowhere.jpg")
    data = folder(packed(root, tmp_path / "packed", short_side=20))  # it is among those measured for the room
    with pytest.raises(UnreadableImage, match=r"train/cat/000.jpg"):
        data.source("train").fetch(torch.tensor([0]), torch.tensor([0]))


def test_a_store_keeps_few_files_open_and_travels_without_them(
    make_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "IMAGES_PER_SHARD", 1)
    monkeypatch.setattr("resnet_zoo.data.packed.store.MOST_OPEN", 3)
    data = folder(packed(make_folder(), tmp_path / "packed"))
    store = data._splits["train"].store
    assert isinstance(store, PackedStore)
    contents = [store.read(position).tobytes() for position in range(12)]
    assert len(store._open) == 3
    assert [pickle.loads(pickle.dumps(store)).read(position).tobytes() for position in range(12)] == contents


@pytest.mark.usefixtures("small_shards")
def test_an_address_is_copied_shard_by_shard_and_checked(
    make_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = make_folder()
    target = packed(root, tmp_path / "packed")
    address = f"file://{target}"
    assert same_batches(folder(root), folder(address))
    assert folder(address).fingerprint() == folder(root).fingerprint()
    assert folder(address).sample_name(0, "train") == "train/cat/000.jpg"
    copies = {path.name: path for path in tmp_path.glob("cache/resnet-zoo/packed/*/*")}
    assert set(copies) >= {"train-00000.shard", "val-00002.shard", "train.index"}
    copies["train-00001.shard"].unlink()
    flip(target / "train-00001.shard", 10)
    with pytest.raises(
        DamagedFile, match=r"the shard 'file://.*/train-00001.shard' is damaged: what was received"
    ):
        list(folder(address).train_dataloader())
    with pytest.raises(MissingData, match=r"cannot read 'file:///nowhere/packed.json'"):
        folder("file:///nowhere")
    with pytest.raises(MissingData, match=r"cannot read 'nosuch://bucket/packed.json'"):
        folder("nosuch://bucket")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--short-side", "0"], "short_side=0 is not allowed"),
        (["--short-side", "9", "--quality", "101"], "quality=101 is not a JPEG quality. Use 1 to 100"),
        (["--short-side", "9", "--quality", "0"], "quality=0 is not a JPEG quality"),
        (["--quality", "90"], "quality=90 goes with a short side"),
        (["--raw"], "raw goes with a short side"),
        (["--short-side", "9", "--raw", "--quality", "90"], "Give one of both"),
        (["--verify"], "give SRC and DST, or --verify and a packed data set"),
    ],
)
def test_options_that_are_not_allowed(
    options: list[str],
    message: str,
    make_folder: MakeFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["data", "pack", str(make_folder()), str(tmp_path / "packed"), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "packed").exists()


def test_places_that_are_not_allowed(
    make_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder()
    with pytest.raises(InvalidValue, match="lies in the images to be packed"):
        packed(root, root / "train" / "packed")
    with pytest.raises(InvalidValue, match="is not empty"):
        packed(root, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidValue, match="is a file"):
        packed(root, tmp_path / "file")
    with pytest.raises(MissingData, match=r"pack root '.*nowhere' does not exist"):
        packed(tmp_path / "nowhere", tmp_path / "packed")
    target = packed(root, tmp_path / "packed")
    with pytest.raises(InvalidValue, match="is a packed data set already"):
        packed(target, tmp_path / "again")
    with pytest.raises(MissingData, match=r"has no 'packed.json'"):
        verify(str(root))
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    for options in ({}, {"short_side": 8}, {"short_side": 8, "raw": True}):
        with pytest.raises(InvalidValue, match=r"not enough room in '.*': 24 images with"):
            packed(root, tmp_path / "full", **options)
