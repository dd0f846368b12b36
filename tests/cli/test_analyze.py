"""``resnet-zoo analyze`` and ``resnet-zoo deepen`` on checkpoints of ours."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from resnet_zoo.analysis import TOLERANCE
from resnet_zoo.cli.main import main
from resnet_zoo.experiments.rebuild import load_model
from tests.saved_models import save_untrained

MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """A run directory with an untrained checkpoint; returns the checkpoint."""

    def make(name: str, folder: str = "run", **arguments: Any) -> Path:
        run = tmp_path / folder
        run.mkdir()
        (run / "config.yaml").write_text(yaml.safe_dump({"data": {"class_path": "Digits", "init_args": {}}}))
        file = run / "checkpoints" / "last.ckpt"
        save_untrained(file, name, **arguments)
        return file

    return make


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_responses(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoints = [
        make_run("resnet_cifar", "one", depth=8, width=4),
        make_run("plain_cifar", "two", depth=8, width=4),
    ]
    assert main(["analyze", "responses", *map(str, checkpoints), "--num-images", "50"]) == 0
    rows = rows_of(checkpoints[0].parent.parent / "responses.csv")
    assert [row["layer"] for row in rows].count("backbone.stem.conv") == 2
    assert {row["checkpoint"] for row in rows} == set(map(str, checkpoints))
    assert all(float(row["std"]) > 0 for row in rows)
    printed = capsys.readouterr().out
    assert printed.count("mean standard deviation over the layers") == 2
    assert "resnet_cifar(depth=8, width=4" in printed


def test_gradients(make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = make_run("plain_cifar", depth=8, width=4)
    target = tmp_path / "deep" / "table.csv"
    assert main(["analyze", "gradients", str(checkpoint), "--num-images", "32", "--csv", str(target)]) == 0
    assert all(float(row["gradient_norm"]) > 0 for row in rows_of(target))
    assert "first to last layer: " in capsys.readouterr().out


def test_gates(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = make_run("highway_mlp", depth=6, width=8, image_size=8, carry_bias=-2.0)
    assert main(["analyze", "gates", str(checkpoint), "--num-images", "50"]) == 0
    rows = rows_of(checkpoint.parent.parent / "gates.csv")
    assert len(rows) == 5
    assert float(rows[0]["sigmoid_of_bias"]) == pytest.approx(1 / (1 + math.exp(2)))
    assert "mean gate over the layers: 0.1" in capsys.readouterr().out


def test_a_net_without_gates_has_none_to_show(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "gates", str(make_run("resnet_cifar", depth=8, width=4))]) == 2
    assert "has no transform gates" in capsys.readouterr().err


def test_what_is_no_checkpoint_of_ours_is_refused(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], working_directory: Path
) -> None:
    assert main(["analyze", "responses", "nowhere.ckpt"]) == 2
    assert "no checkpoint at 'nowhere.ckpt'" in capsys.readouterr().err
    other = tmp_path / "other.ckpt"
    torch.save({"state_dict": {}}, other)
    assert main(["analyze", "responses", str(other)]) == 2
    assert "does not say how its backbone was built" in capsys.readouterr().err
    checkpoint = make_run("resnet_cifar", depth=8, width=4)
    (checkpoint.parent.parent / "config.yaml").unlink()
    assert main(["analyze", "responses", str(checkpoint)]) == 2
    assert "Give the config of the run with --config" in capsys.readouterr().err


def test_deepen(make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = make_run("plain_cifar", depth=8, width=4)
    target = tmp_path / "deeper.ckpt"
    assert (
        main(["deepen", str(checkpoint), "--to", "plain_cifar", "--depth", "26", "--out", str(target)]) == 0
    )
    said = re.search(r"9 blocks added; max \|logit difference\| (\S+) on 359 images", capsys.readouterr().out)
    assert said is not None
    assert float(said[1]) <= TOLERANCE  # how a convolution adds up zeros is the processor's affair
    deeper = load_model(target)
    assert deeper.built_by == {"name": "plain_cifar", "arguments": {"depth": 26, "width": 4}}
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        expected = load_model(checkpoint).model(images)
        torch.testing.assert_close(deeper.model(images), expected, rtol=0, atol=TOLERANCE)


def test_deepen_to_a_named_net_on_random_images(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = make_run("plain20_cifar", width=4)
    target = checkpoint.parent / "deeper.ckpt"
    words = ["deepen", str(checkpoint), "--to", "plain56_cifar", "--image-size", "8", "--out", str(target)]
    assert main(words) == 0
    assert "18 blocks added" in capsys.readouterr().out
    assert load_model(target).built_by == {"name": "plain56_cifar", "arguments": {"width": 4}}


def test_deepen_writes_nothing_that_computes_something_else(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from resnet_zoo.analysis import constructed

    monkeypatch.setattr(constructed, "make_identity", lambda block: None)
    checkpoint, target = make_run("plain_cifar", depth=8, width=4), tmp_path / "deeper.ckpt"
    assert (
        main(["deepen", str(checkpoint), "--to", "plain_cifar", "--depth", "14", "--out", str(target)]) == 1
    )
    assert "do not compute the same, and nothing was written" in capsys.readouterr().out
    assert not target.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--to", "resnet_cifar", "--depth", "14"], "BasicBlock adds its input itself"),
        (["--to", "plain_cifar", "--depth", "15"], "depth=15 is not 6n + 2"),
        (["--to", "plain_cifar", "--depths", "14"], "depths"),
        (["--to", "plan56_cifar"], "Did you mean 'plain56_cifar'"),
    ],
)
def test_deepen_explains_mistakes(
    words: list[str], message: str, make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deepen", str(make_run("plain_cifar", depth=8, width=4)), *words]) == 2
    assert message in capsys.readouterr().err
