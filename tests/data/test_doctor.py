"""The doctor names everything that is wrong, by path, and nothing that is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resnet_zoo.cli.data_need import Need
from resnet_zoo.cli.main import main
from resnet_zoo.cli.step_time import StepTime
from resnet_zoo.data.decode import UnreadableImage
from resnet_zoo.data.doctor import imagenet
from resnet_zoo.data.doctor.diagnosis import Diagnosis, diagnose
from resnet_zoo.data.doctor.findings import KINDS, Severity
from resnet_zoo.data.doctor.layout import examine_layout
from resnet_zoo.data.doctor.speed import ReadingSpeed
from tests.data.conftest import MakeFolder
from tests.data.damage import odd_files, png_of, unreadable_files, write_into
from tests.data.pictures import decoded, encoded, picture


def found(diagnosis: Diagnosis) -> dict[str, set[str]]:
    """Per kind the paths below the root."""
    kinds: dict[str, set[str]] = {}
    for finding in diagnosis.findings:
        path = Path(finding.path).relative_to(diagnosis.layout.root).as_posix()
        kinds.setdefault(finding.kind, set()).add(path)
    return kinds


def test_a_healthy_folder(make_folder: MakeFolder, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_folder()
    assert main(["data", "check", str(root)]) == 0
    text = capsys.readouterr().out
    assert "3 classes, images: train 12, val 12" in text
    assert "0 errors, 0 warnings, 0 notes" in text


@pytest.mark.parametrize("quick", [False, True])
def test_damaged_files_are_named(make_folder: MakeFolder, quick: bool) -> None:
    root = make_folder()
    damaged = unreadable_files()
    write_into(root / "train" / "cat", damaged)
    diagnosis = diagnose(str(root), quick=quick)
    paths = [finding.path for finding in diagnosis.findings if finding.severity is Severity.ERROR]
    expected = {str(root / "train" / "cat" / name) for name in damaged}
    if quick:  # its header and its end are in order
        expected.discard(str(root / "train" / "cat" / "no_image_data.png"))
    assert set(paths) == expected
    assert len(paths) == len(expected), "each once"
    assert found(diagnosis)["zero_byte"] == {"train/cat/empty.jpg"}
    assert {"train/cat/cut_in_half.jpg", "train/cat/cut.png"} <= found(diagnosis)["truncated"]
    assert diagnosis.exit_code == 3


def test_what_is_called_damaged_is_what_a_training_cannot_read(make_folder: MakeFolder) -> None:
    root = make_folder()
    write_into(root / "train" / "cat", unreadable_files())
    write_into(root / "val" / "dog", {name: content for name, (_, content) in odd_files().items()})
    errors = {f.path for f in diagnose(str(root)).findings if f.severity is Severity.ERROR}
    for path in (*(root / "train" / "cat").iterdir(), *(root / "val" / "dog").iterdir()):
        if str(path) in errors:
            with pytest.raises(UnreadableImage):
                decoded(path)
        else:
            decoded(path)


@pytest.mark.parametrize("quick", [False, True])
def test_odd_files_are_named(make_folder: MakeFolder, quick: bool) -> None:
    root = make_folder()
    write_into(root / "train" / "cat", {name: content for name, (_, content) in odd_files().items()})
    kinds = found(diagnose(str(root), quick=quick))
    for name, (kind, _) in odd_files().items():
        assert f"train/cat/{name}" in kinds[kind]


def test_a_bomb_is_not_decoded(make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_folder()
    (root / "train" / "cat" / "bomb.png").write_bytes(png_of(60_000, 60_000))
    (root / "train" / "cat" / "broad.png").write_bytes(png_of(10_000, 10_000))

    def refuse(content: object, path: str) -> None:
        assert not path.endswith("bomb.png")

    monkeypatch.setattr("resnet_zoo.data.doctor.files.decode_image", refuse)
    kinds = found(diagnose(str(root)))
    assert kinds["bomb"] == {"train/cat/bomb.png"}
    assert kinds["large"] == {"train/cat/broad.png"}


def test_duplicates_between_splits_and_classes(make_folder: MakeFolder) -> None:
    root = make_folder()
    shutil.copy(root / "train" / "cat" / "000.jpg", root / "val" / "cat" / "leak.jpg")
    shutil.copy(root / "train" / "cat" / "001.jpg", root / "train" / "dog" / "again.jpg")
    shutil.copy(root / "train" / "owl" / "002.jpg", root / "train" / "owl" / "twice.jpg")  # harms nobody
    diagnosis = diagnose(str(root))
    assert found(diagnosis) == {"duplicate": {"val/cat/leak.jpg"}, "two_classes": {"train/dog/again.jpg"}}
    assert {finding.detail for finding in diagnosis.findings} == {
        "the same as train/cat/000.jpg",
        "the same as train/cat/001.jpg",
    }
    assert diagnosis.exit_code == 1


def test_class_folders(make_folder: MakeFolder) -> None:
    root = make_folder()
    shutil.rmtree(root / "val" / "dog")
    (root / "val" / "unicorn").mkdir()
    (root / "train" / "mouse").mkdir()
    shutil.copy(root / "train" / "cat" / "000.jpg", root / "train" / "stray.jpg")
    (root / "train" / "cat" / "labels.csv").write_text("")
    assert found(diagnose(str(root))) == {
        "missing_class": {"val/dog", "val/mouse"},
        "unknown_class": {"val/unicorn"},
        "empty_class": {"val/unicorn", "train/mouse"},
        "stray_image": {"train/stray.jpg"},
        "other_file": {"train/cat/labels.csv"},
    }


def test_a_flat_validation_set_names_the_command_that_sorts_it(make_folder: MakeFolder) -> None:
    root = make_folder(splits=("train",))
    (root / "val").mkdir()
    (root / "val" / "ILSVRC2012_val_00000001.JPEG").write_bytes(encoded(picture(0)))
    (finding,) = diagnose(str(root)).findings
    assert (finding.kind, finding.path) == ("flat_split", str(root / "val"))
    assert "resnet-zoo data prepare imagenet" in finding.detail


def test_roots_without_training_images(make_folder: MakeFolder, tmp_path: Path) -> None:
    root = make_folder(splits=("val",))
    assert found(diagnose(str(root)))["missing_split"] == {"train"}
    empty = tmp_path / "empty"
    empty.mkdir()
    assert found(diagnose(str(empty)))["missing_split"] == {"."}
    assert main(["data", "check", str(tmp_path / "nowhere")]) == 2


def test_class_folders_may_be_in_the_root(make_folder: MakeFolder) -> None:
    diagnosis = diagnose(str(make_folder(splits=("",))))
    assert diagnosis.exit_code == 0
    assert diagnosis.layout.num_images == 12


def test_numbered_classes_out_of_order(make_folder: MakeFolder) -> None:
    diagnosis = diagnose(str(make_folder(classes=("1", "2", "10"), per_class=1)))
    (finding,) = diagnosis.findings
    assert finding.kind == "class_order"
    assert "label 1 is class '10'" in finding.detail
    assert not diagnose(str(make_folder(classes=("01", "02", "10"), root="padded", per_class=1))).findings


def test_imagenets_oddities_are_known(make_folder: MakeFolder) -> None:
    root = make_folder(classes=("n02105855", "n01739381"))
    cmyk, png = encoded(picture(90).convert("CMYK")), encoded(picture(91), "PNG")
    (root / "train" / "n02105855" / "n02105855_2933.JPEG").write_bytes(png)
    (root / "train" / "n01739381" / "n01739381_1309.JPEG").write_bytes(cmyk)
    (root / "val" / "n01739381" / "ILSVRC2012_val_00019877.JPEG").write_bytes(
        encoded(picture(92).convert("CMYK"))
    )
    diagnosis = diagnose(str(root))
    assert {name: len(paths) for name, paths in found(diagnosis).items()} == {"known_oddity": 3}
    assert diagnosis.exit_code == 0
    (root / "train" / "n01739381" / "another.JPEG").write_bytes(encoded(picture(93).convert("CMYK")))
    assert found(diagnose(str(root)))["cmyk"] == {"train/n01739381/another.JPEG"}


def test_imagenet_s_counts_and_order(make_imagenet: Callable[..., Path]) -> None:
    root = make_imagenet(num_classes=1000)
    shutil.rmtree(root / "val" / "n00000007")
    layout = examine_layout(str(root))
    kinds = [finding.kind for finding in layout.findings]
    assert layout.is_imagenet
    assert sorted(kinds) == ["class_order", "count", "count", "missing_class"]
    assert any("published are 1,281,167" in finding.detail for finding in layout.findings)
    shutil.rmtree(root / "train" / "n00000009")
    details = [finding.detail for finding in examine_layout(str(root)).findings]
    assert "999 class folders, ImageNet-1k has 1,000" in details


def test_known_positions_are_those_of_the_sorted_synsets() -> None:
    names = [f"n{number:08}" for number in range(1000)]
    assert len(imagenet.wrong_positions(names)) == 5
    assert imagenet.wrong_positions(names[:900]) == []


def test_the_record(make_folder: MakeFolder, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_folder()
    write_into(root / "train" / "cat", unreadable_files())
    assert main(["data", "check", "--json", str(root)]) == 3
    printed = capsys.readouterr()
    record: dict[str, Any] = json.loads(printed.out)
    assert record["severity"] == "error"
    assert record["images"] == {"train": 20, "val": 12}
    assert {finding["kind"] for finding in record["findings"]} <= set(KINDS)
    assert "32 of 32 images examined" in printed.err


def test_mistyped_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "chekc"]) == 2
    assert "Did you mean 'check'?" in capsys.readouterr().err
    assert main(["data"]) == 2
    assert main(["data", "--help"]) == 0
    assert "data check data/imagenet" in capsys.readouterr().out


def test_speed_and_need(make_folder: MakeFolder, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_folder(per_class=8)
    (root / "train" / "cat" / "000.jpg").write_bytes(b"")  # neither stops the measurement nor counts
    words = [
        "data",
        "check",
        str(root),
        "--backbone",
        "resnet20_cifar",
        "--image-size",
        "32",
        "--devices",
        "2",
    ]
    assert main([*words, "--json"]) == 3
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    speed, need = record["speed"], record["need"]
    decoded = speed["decoded_images_per_second_per_core"] * speed["cores"]
    assert speed["images_per_second"] == min(speed["disk_images_per_second"], decoded) > 0
    assert need["images_per_second"] == 2 * need["step"]["images_per_second"] > 0
    enough = speed["images_per_second"] >= need["images_per_second"]
    assert need["bottleneck"] == ("the model" if enough else speed["slower"])
    assert main(["data", "check", str(root), "--backbone", "resnet5O"]) == 2
    assert "Did you mean 'resnet50'?" in capsys.readouterr().err


def reading(disk: float, decoded: float, cores: int) -> ReadingSpeed:
    return ReadingSpeed(disk, disk / 10, True, decoded, cores, 224)


@pytest.mark.parametrize(
    ("speed", "said"),
    [
        (reading(5000, 1000, 4), "the model is the bottleneck: the data come 1.3 times as fast"),
        (
            reading(5000, 1000, 2),
            "decoding is the bottleneck: the data come at 67% of what resnet50 takes; 3 cores",
        ),
        (reading(5000, 0, 2), "decoding is the bottleneck: the data come at 0% of what resnet50 takes"),
        (reading(1500, 1000, 8), "the disk is the bottleneck: the data come at 50% of what resnet50 takes"),
    ],
)
def test_the_bottleneck(speed: ReadingSpeed, said: str) -> None:
    need = Need("resnet50", 224, "bf16-mixed", 2, StepTime(1500.0, 256, "a GPU"))
    assert said in need.as_text(speed)
    assert "3,000 images/s: resnet50 at 224x224, bf16-mixed, 2 x a GPU" in need.as_text(speed)
