"""``benchmark data``: every contender delivers the images asked for, and the verdict follows from the figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from resnet_zoo.cli.benchmark_data import as_text
from resnet_zoo.cli.main import main
from resnet_zoo.data import ImageFolder
from resnet_zoo.data.benchmark.contenders import Job, Ours
from resnet_zoo.data.benchmark.peers import decode_jpeg_peer, torchvision_peer
from resnet_zoo.data.benchmark.rounds import measure
from tests.data.pictures import picture

QUICK = ["--config", "quickstart", "--images", "400", "--rounds", "1"]


@pytest.fixture
def folder(tmp_path: Path) -> ImageFolder:
    """A few JPEGs."""
    for split in ("train", "val"):
        (tmp_path / split / "a").mkdir(parents=True)
        for number in range(6):
            picture(number, 60, 80).save(tmp_path / split / "a" / f"{number}.jpg")
    return ImageFolder(root=str(tmp_path), global_batch_size=4, image_size=32)


@pytest.mark.parametrize("split", ["train", "val"])
def test_all_contenders_deliver_the_same_number_of_images(folder: ImageFolder, split: str) -> None:
    job = Job.of(folder, split, 10, num_workers=0)
    assert len(job.positions) == 8  # whole batches
    ours = Ours(job, normalise=False), Ours(job, normalise=True)
    for contender in (*ours, torchvision_peer(job), decode_jpeg_peer(job)):
        assert list(contender.batches()) == [4, 4]
        contender.close()


def test_workers_are_measured_and_ended(folder: ImageFolder) -> None:
    ours = Ours(Job.of(folder, "train", 8, num_workers=1), normalise=False)
    (result,) = measure([ours], rounds=2)
    assert result.per_core.slowest <= result.per_core.median <= result.per_core.fastest
    assert result.total.median > 0
    assert ours.worker_processes() == []


def test_a_config_is_measured_against_torchvision(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "data", *QUICK, "--against", "torchvision", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    ours, theirs = record["results"]
    assert (ours["name"], theirs["name"]) == ("resnet-zoo", "torchvision")
    assert theirs["ratio"] == ours["per_core"]["median"] / theirs["per_core"]["median"]
    assert record["images"] <= 400
    assert "torchvision" in as_text(record)


def test_the_verdict_says_how_many_cores_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "data", *QUICK, "--need", "1e12"]) == 1
    assert "Not enough for 1,000,000,000,000 images/s" in capsys.readouterr().out
    assert main(["benchmark", "data", *QUICK, "--need", "1"]) == 0
    assert "Enough for 1 images/s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "which? Known: data"),
        (["dta"], "data"),
        (["data", *QUICK, "--against", "torchvison"], "torchvision"),
        (["data", *QUICK, "--against", "timm"], "timm has no pipeline for small images"),
        (["data", *QUICK, "--against", "decode_jpeg"], "decode_jpeg reads files"),
        (["data", *QUICK, "--workers", "-1"], "'-1' is not a whole number of at least 0"),
        (["data", *QUICK, "--need", "0"], "'0' is not a number above 0"),
        (["data", *QUICK, "--need", "nan"], "'nan' is not a number above 0"),
    ],
)
def test_mistakes(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", *words]) == 2
    assert message in capsys.readouterr().err
