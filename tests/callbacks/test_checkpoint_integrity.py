"""A checkpoint that is not what was written is noticed, and the one before it is there to continue from."""

from __future__ import annotations

import contextlib
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from resnet_zoo.callbacks import checkpoint_io
from resnet_zoo.callbacks.checkpoint_integrity import newest_valid, set_aside
from resnet_zoo.callbacks.checkpoint_io import AtomicCheckpointIO, read_checkpoint
from resnet_zoo.errors import InvalidValue


def content(step: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(step)
    weights = {f"layer{index}": torch.randn(50, 20, generator=generator) for index in range(5)}
    return {"state_dict": weights, "global_step": step, "epoch": step // 10}


def flip_bit(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position // 8] ^= 1 << position % 8
    path.write_bytes(data)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the checkpoints of updates 10, 20 and 30."""
    writer = AtomicCheckpointIO()
    writer.save_checkpoint(content(10), tmp_path / "best.ckpt")
    writer.save_checkpoint(content(20), tmp_path / "last.ckpt")
    writer.save_checkpoint(content(30), tmp_path / "last.ckpt")
    assert writer.failure is None
    return tmp_path


def test_the_last_one_and_the_one_before_are_kept(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {"best.ckpt", "last.ckpt", "previous.ckpt"}
    assert read_checkpoint(folder / "previous.ckpt")["global_step"] == 20
    assert newest_valid(folder).content["global_step"] == 30


def test_without_links_the_one_before_is_kept_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    AtomicCheckpointIO().save_checkpoint(content(40), folder / "last.ckpt")
    steps = {name: read_checkpoint(folder / name)["global_step"] for name in ("last.ckpt", "previous.ckpt")}
    assert steps == {"last.ckpt": 40, "previous.ckpt": 30}


def test_a_flipped_bit_is_noticed_or_changes_nothing(folder: Path) -> None:
    path = folder / "last.ckpt"
    original, expected = path.read_bytes(), content(30)
    noticed = 0
    for position in random.Random(0).sample(range(8 * len(original)), 300):
        flip_bit(path, position)
        try:
            loaded = read_checkpoint(path)
        except InvalidValue:
            noticed += 1
        else:
            assert loaded["global_step"] == 30
            assert all(
                torch.equal(loaded["state_dict"][key], value) for key, value in expected["state_dict"].items()
            )
        path.write_bytes(original)
    assert noticed > 200


def test_a_flipped_bit_in_a_weight_would_load_without_a_word_otherwise(folder: Path) -> None:
    path = folder / "last.ckpt"
    weight = content(30)["state_dict"]["layer0"].numpy().tobytes()
    flip_bit(path, 8 * (path.read_bytes().index(weight) + 100))
    torch.load(path, weights_only=True)
    with pytest.raises(InvalidValue, match=r"the content of its record 'data/0' is not what was written"):
        read_checkpoint(path)


def test_a_flipped_bit_in_the_end_of_the_directory_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    """It says where everything is; wrong places make Python's reader of archives fail in many ways."""
    path, content = tmp_path / "last.ckpt", {"state_dict": {"weight": torch.ones(1)}, "global_step": 1}
    torch.save(content, path)
    original = path.read_bytes()
    length = len(original) - original.rindex(b"PK\x06\x06")
    for position in range(0, 8 * length, 3):
        flip_bit(path, 8 * (len(original) - length) + position)
        with contextlib.suppress(InvalidValue):
            assert read_checkpoint(path) == content
        path.write_bytes(original)


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_record_that_claims_to_be_compressed_is_noticed(folder: Path, kind: int) -> None:
    path = folder / "last.ckpt"
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02", 0, data.rindex(b"data/0"))  # of the directory, behind all content
    struct.pack_into("<H", data, entry + 10, kind)
    path.write_bytes(data)
    with pytest.raises(InvalidValue, match="cannot be read as a checkpoint"):
        read_checkpoint(path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_file_cut_short_is_passed_over_for_the_one_before(folder: Path, share: float) -> None:
    path = folder / "last.ckpt"
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    choice = newest_valid(folder)
    assert choice.path == folder / "previous.ckpt"
    assert choice.content["global_step"] == 20
    assert f"checkpoint '{path}' is damaged and was passed over" in choice.notices()[0]


def test_a_damaged_file_never_becomes_the_one_before(folder: Path) -> None:
    (folder / "last.ckpt").write_bytes(b"PK\x03\x04 nothing")
    set_aside(newest_valid(folder).damaged)
    AtomicCheckpointIO().save_checkpoint(content(40), folder / "last.ckpt")
    assert (folder / "last.ckpt.damaged").exists()
    assert read_checkpoint(folder / "previous.ckpt")["global_step"] == 20
    assert read_checkpoint(folder / "last.ckpt")["global_step"] == 40


def test_if_both_are_damaged_the_newest_of_the_others_is_taken(folder: Path) -> None:
    AtomicCheckpointIO().save_checkpoint(content(15), folder / "epoch-0001.ckpt")
    for name in ("last.ckpt", "previous.ckpt"):
        (folder / name).write_bytes(b"")
    choice = newest_valid(folder)
    assert choice.path == folder / "epoch-0001.ckpt"
    assert len(choice.notices()) == 2


def test_if_all_are_damaged_nothing_is_started_afresh(folder: Path) -> None:
    for path in folder.glob("*.ckpt"):
        path.write_bytes(b"PK")
    with pytest.raises(InvalidValue, match=r"no checkpoint in .* can be read"):
        newest_valid(folder)
    assert newest_valid(folder / "nowhere").path is None


def test_a_full_disk_leaves_the_old_file_and_one_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    save = torch.save

    def onto_a_full_disk(obj: Any, file: Path) -> None:
        file.unlink(missing_ok=True)
        file.symlink_to("/dev/full")
        save(obj, file)

    monkeypatch.setattr(checkpoint_io.torch, "save", onto_a_full_disk)
    writer = AtomicCheckpointIO()
    writer.save_checkpoint(content(40), folder / "last.ckpt")
    assert str(writer.failure) == f"'{folder / 'last.ckpt'}' was not written: no space is left on the disk."
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_that_cannot_be_written_to_is_a_sentence_too(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    writer = AtomicCheckpointIO()
    writer.save_checkpoint(content(1), tmp_path / "file" / "last.ckpt")
    assert "was not written: " in str(writer.failure)
