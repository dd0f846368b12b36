"""ImageNet's validation set out of its archives; the tests make small ones and say what their hashes are."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resnet_zoo.cli.main import main
from resnet_zoo.data.prepare import archives, validation
from resnet_zoo.data.prepare.archives import DEVKIT, VALIDATION, read_labels
from resnet_zoo.data.prepare.matlab import read_structures
from resnet_zoo.data.prepare.validation import prepare_validation
from resnet_zoo.errors import InvalidValue, MissingData
from tests.data.matlab_file import Value, structure_file
from tests.data.pictures import encoded, picture

# As in the devkit, class numbers are not in the order of the synsets, and inner nodes have numbers as well.
SYNSETS = {1: "n02119789", 2: "n01440764", 3: "n03888257"}
TRUTH = [2, 3, 1, 1, 2, 3]
NAMES = [f"ILSVRC2012_val_{number:08}.JPEG" for number in range(1, len(TRUTH) + 1)]


def meta_mat(compressed: bool = True) -> bytes:
    """The devkit's table of classes."""
    entries: list[dict[str, Value]] = [
        {"ILSVRC2012_ID": [number], "WNID": synset, "words": "a word", "gloss": "", "num_children": [0]}
        for number, synset in SYNSETS.items()
    ]
    inner = {"ILSVRC2012_ID": [1001], "WNID": "n00001740", "words": "entity", "gloss": "inner node"}
    return structure_file("synsets", [*entries, {**inner, "num_children": [3]}], compressed)


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def write_archives(folder: Path, names: list[str] = NAMES) -> Path:
    """Both archives under their own names."""
    folder.mkdir(exist_ok=True)
    with tarfile.open(folder / VALIDATION.name, "w") as tar:
        for number, name in enumerate(names):
            add(tar, name, encoded(picture(number)))
    with tarfile.open(folder / DEVKIT.name, "w:gz") as tar:
        data = "ILSVRC2012_devkit_t12/data/"
        add(tar, data + "ILSVRC2012_validation_ground_truth.txt", "\n".join(map(str, TRUTH)).encode())
        add(tar, data + "meta.mat", meta_mat())
    return folder


def accept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Take these archives for the published ones."""
    for name in ("VALIDATION", "DEVKIT"):
        archive = getattr(archives, name)
        md5 = hashlib.md5((folder / archive.name).read_bytes()).hexdigest()
        monkeypatch.setattr(validation, name, archive._replace(md5=md5))
    return folder


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return accept(write_archives(tmp_path / "downloads"), monkeypatch)


def arranged(root: Path) -> dict[str, str]:
    """Image number to class folder."""
    return {path.name: path.parent.name for path in (root / "val").rglob("*") if path.is_file()}


EXPECTED = {name: SYNSETS[number] for name, number in zip(NAMES, TRUTH, strict=True)}


@pytest.mark.parametrize("given", ["archive", "folder"])
def test_every_image_into_its_class(
    downloads: Path, tmp_path: Path, given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = downloads / VALIDATION.name if given == "archive" else downloads
    assert main(["data", "prepare", "imagenet", str(source), str(tmp_path / "imagenet")]) == 0
    assert arranged(tmp_path / "imagenet") == EXPECTED
    for number, name in enumerate(NAMES):
        content = (tmp_path / "imagenet" / "val" / EXPECTED[name] / name).read_bytes()
        assert content == encoded(picture(number))
    assert "6 images of 3 classes" in capsys.readouterr().out


def test_it_goes_on_after_an_interruption(
    downloads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, replace, count = tmp_path / "imagenet", Path.replace, iter(range(10))

    def interrupted(source: Path, target: Any) -> Path:
        if next(count) == 3:
            raise KeyboardInterrupt
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare_validation(str(downloads), str(root))
    half = {name for name in arranged(root) if name in NAMES}
    assert len(half) == 3
    monkeypatch.setattr(Path, "replace", replace)
    cut = next(path for path in (root / "val").rglob("*.JPEG"))
    cut.write_bytes(cut.read_bytes()[:10])  # as by another program, which does not write in one go
    done = prepare_validation(str(downloads), str(root))
    assert (done.images, done.written) == (6, 4)
    assert arranged(root) == EXPECTED
    assert prepare_validation(str(downloads), str(root)).written == 0


@pytest.mark.parametrize("name", [VALIDATION.name, DEVKIT.name])
def test_other_archives_are_refused(downloads: Path, tmp_path: Path, name: str) -> None:
    content = bytearray((downloads / name).read_bytes())
    content[len(content) // 2] ^= 1
    (downloads / name).write_bytes(content)
    with pytest.raises(InvalidValue, match=rf"{name}' is not the published archive: its MD5 is"):
        prepare_validation(str(downloads), str(tmp_path / "imagenet"))
    assert not (tmp_path / "imagenet").exists()


@pytest.mark.parametrize("name", ["../../escape.JPEG", "/tmp/escape.JPEG", "readme.txt"])
def test_nothing_else_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    folder = accept(write_archives(tmp_path / "downloads", [*NAMES[:2], name]), monkeypatch)
    with pytest.raises(InvalidValue, match="is not named like an image"):
        prepare_validation(str(folder), str(tmp_path / "imagenet"))
    assert not list(tmp_path.rglob("escape*"))


def test_a_path_in_the_archive_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"../../outside/{name}" for name in NAMES]
    folder = accept(write_archives(tmp_path / "downloads", names), monkeypatch)
    prepare_validation(str(folder), str(tmp_path / "imagenet"))
    assert arranged(tmp_path / "imagenet") == EXPECTED
    assert not list(tmp_path.rglob("outside"))


def test_links_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_archives(tmp_path / "downloads")
    with tarfile.open(folder / VALIDATION.name, "a") as tar:
        link = tarfile.TarInfo(NAMES[0])
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(InvalidValue, match="a link or device"):
        prepare_validation(str(accept(folder, monkeypatch)), str(tmp_path / "imagenet"))


def test_missing_and_double_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = accept(write_archives(tmp_path / "downloads", [*NAMES[:4], NAMES[0]]), monkeypatch)
    with pytest.raises(InvalidValue, match=r"2 of 6 images are missing .*number 5\), 1 come twice"):
        prepare_validation(str(folder), str(tmp_path / "imagenet"))


def test_images_that_were_unpacked_already(
    downloads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tarfile.open(downloads / VALIDATION.name) as tar:
        tar.extractall(downloads, filter="data")
    (downloads / VALIDATION.name).unlink()
    assert main(["data", "prepare", "imagenet", str(downloads), str(tmp_path / "imagenet")]) == 0
    assert arranged(tmp_path / "imagenet") == EXPECTED
    assert "its hash could not be checked" in capsys.readouterr().out


def test_what_is_not_there_is_said(downloads: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingData, match="does not exist"):
        prepare_validation(str(tmp_path / "nowhere"), str(tmp_path / "imagenet"))
    (downloads / DEVKIT.name).unlink()
    with pytest.raises(MissingData, match=r"devkit_t12.tar.gz' does not exist.*registration"):
        prepare_validation(str(downloads), str(tmp_path / "imagenet"))


def test_a_destination_with_something_else(downloads: Path, tmp_path: Path) -> None:
    (tmp_path / "imagenet" / "val").mkdir(parents=True)
    (tmp_path / "imagenet" / "val" / NAMES[0]).write_bytes(b"")
    with pytest.raises(InvalidValue, match="which is no class folder of ImageNet"):
        prepare_validation(str(downloads), str(tmp_path / "imagenet"))


def test_a_full_disk_is_noticed_first(
    downloads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = validation.shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(validation.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(InvalidValue, match="GB free"):
        prepare_validation(str(downloads), str(tmp_path / "imagenet"))


@pytest.mark.parametrize("compressed", [False, True])
def test_matlab_tables(compressed: bool) -> None:
    entries = read_structures(meta_mat(compressed))["synsets"]
    assert {int(entry["ILSVRC2012_ID"][0]): entry["WNID"] for entry in entries[:3]} == SYNSETS
    assert entries[3]["num_children"] == [3.0]
    assert entries[3]["gloss"] == "inner node"


def test_the_reader_reads_what_scipy_writes() -> None:
    scipy_io = pytest.importorskip("scipy.io", reason="compares with SciPy's writer")
    table = np.zeros((2, 1), dtype=[("number", object), ("text", object), ("share", object)])
    for row, values in enumerate([(1, "n01440764", 0.25), (2, "", [1.5, 2.5])]):
        for name, value in zip(table.dtype.names, values, strict=True):
            table[name][row, 0] = value
    buffer = io.BytesIO()
    scipy_io.savemat(buffer, {"table": table, "other": np.eye(2)}, do_compression=True)
    assert read_structures(buffer.getvalue()) == {
        "table": [
            {"number": [1.0], "text": "n01440764", "share": [0.25]},
            {"number": [2.0], "text": "", "share": [1.5, 2.5]},
        ]
    }


def test_damaged_tables(downloads: Path) -> None:
    with pytest.raises(ValueError, match="not a little-endian MATLAB file"):
        read_structures(b"no table")
    with pytest.raises(ValueError, match="MATLAB file"):
        read_structures(meta_mat()[:-20])
    with pytest.raises(InvalidValue, match=r"has no 'ILSVRC2012_validation_ground_truth\.txt'"):
        read_labels(downloads / VALIDATION.name)
