"""``resnet-zoo describe``."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from resnet_zoo.cli.layer_table import layer_table, notation
from resnet_zoo.cli.main import main
from resnet_zoo.complexity import measure_complexity
from resnet_zoo.model import ImageModel
from resnet_zoo.registry import registry
from tests.fake_plugins import NET, SitePackages


def described(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["describe", *words, "--json"]) == 0
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    return record


def test_the_table_reads_like_the_paper_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "resnet50"]) == 0
    lines = capsys.readouterr().out.splitlines()
    parts = {line[:8].strip(): " ".join(line[8:].split()) for line in lines}
    assert parts["stem"] == "56x56 7x7, 64, stride 2; 3x3 max pool, stride 2 9,536 118,013,952"
    assert parts["stage 1"].startswith("56x56 [1x1, 64; 3x3, 64; 1x1, 256] x 3 blocks")
    assert parts["stage 4"].startswith("7x7 [1x1, 512; 3x3, 512; 1x1, 2048] x 3 blocks")
    assert parts["head"].startswith("1000 1000-d fc")
    assert parts["total"] == "25,557,032 4,089,184,256"
    assert any("arXiv:1512.03385" in line for line in lines)
    assert any("--shortcut" in line and "'A' | 'B' | 'C' | 'D' (default: 'B')" in line for line in lines)


@pytest.mark.parametrize(
    "name", ["plain20_cifar", "highway19_cifar", "preact_resnet110_cifar", "highway_mlp"]
)
def test_rows_add_up_and_agree_with_the_list(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    record = described(capsys, name)
    figures = registry.resolve(name).figures
    for key in ("parameters", "multiply_adds"):
        assert sum(row[key] for row in record["rows"]) == record[key] == figures[key]
    assert record["rows"][-1]["part"] == "head"


def test_options_and_arguments_of_the_builder(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--image-size", "8", "--num-classes", "3", "--shortcut", "C", "--in_channels=1")
    record = described(capsys, "resnet20_cifar", *words)
    assert record["given"] == {"shortcut": "C", "in_channels": 1}
    assert (record["input_size"], record["num_classes"]) == (8, 3)
    assert record["rows"][0]["output_size"] == [8, 8]
    assert record["rows"][0]["parameters"] == 9 * 16 + 2 * 16
    assert {argument["name"]: argument["default"] for argument in record["arguments"]}["shortcut"] == "A"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("resnet5O", "Did you mean 'resnet50'"),
        (
            "resnet50 --shortcut E",
            "backbone 'resnet50': shortcut=E is not allowed. Accepted: 'A' | 'B' | 'C' | 'D'.",
        ),
        ("resnet50 --shortcat C", "backbone 'resnet50' has no argument 'shortcat'. Did you mean 'shortcut'?"),
        ("resnet50 --zero_init_residual 3", "zero_init_residual=3 is not allowed. Accepted: bool."),
        ("resnet50 --shortcut", "expected one argument"),
        ("resnet50 --image-size 0", "'0' is not a whole number of at least 1"),
        ("highway_mlp --image-size 8", "built for images of 3x32x32"),
    ],
)
def test_mistakes(words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", *words.split()]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_a_plugin_s_figures_are_remembered_for_the_list(
    site: SitePackages, capsys: pytest.CaptureFixture[str]
) -> None:
    site.install_net("my-nets", "0.2", "se_net")
    record = described(capsys, "se_net", "--width", "2")
    assert main(["list", "se_net", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["parameters"] is None  # not those of the usual net
    record = described(capsys, "se_net")
    assert main(["list", "se_net", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    for key in ("family", "parameters", "multiply_adds", "input_size", "num_classes", "paper"):
        assert listed[key] == record[key]
    assert record["paper"] == "arXiv:1234.56789"
    assert record["input_size"] == 224
    assert [row["part"] for row in record["rows"]] == ["stem", "head"]


def test_a_plugin_that_accepts_no_usual_size(site: SitePackages, capsys: pytest.CaptureFixture[str]) -> None:
    source = NET.format(name="narrow").replace(
        "self.stem(images)", "self.stem(images.reshape(-1, 3, 10, 10))"
    )
    source = source.replace(
        "def forward(self, images):",
        "def forward(self, images):\n        assert images.shape[2] == 10, 'size'",
    )
    site.install("my-nets", "0.2", "my_nets", source, narrow="my_nets:narrow")
    assert main(["describe", "narrow"]) == 2
    message = capsys.readouterr().err
    assert "224x224 pixels (AssertionError: size) nor 32x32 pixels (AssertionError: size)" in message
    assert described(capsys, "narrow", "--image-size", "10")["input_size"] == 10


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, stride=2, groups=2)
        self.transform_gate = nn.Conv2d(4, 4, (1, 3))
        self.shortcut = nn.Conv2d(4, 4, 1)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (nn.Conv2d(3, 8, 7, stride=2), "7x7, 8, stride 2"),
        (nn.Conv2d(4, 8, (1, 3), stride=(1, 2), groups=4), "1x3, 8, 4 groups, stride 1x2"),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.MaxPool2d(2)),
         "3x3, 4; 3x3, 4; 2x2 max pool, stride 2".replace("3x3, 4; 3x3, 4", "[3x3, 4] x 2")),
        (nn.Sequential(Block(), Block()), "[3x3, 4, 2 groups; gate 1x3, 4] x 2 blocks"),
        (Block(), "[3x3, 4, 2 groups; gate 1x3, 4] x 1 block"),
        (nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 9)), "global average pool; 9-d fc"),
        (nn.Sequential(nn.AvgPool2d(2), nn.AdaptiveAvgPool2d((2, 3))),
         "2x2 average pool, stride 2; average pool to 2x3"),
        (nn.Identity(), ""),
    ],
)  # fmt: skip
def test_notation(module: nn.Module, text: str) -> None:
    assert notation(module) == text


class Loose(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.num_features = 3
        self.scale = nn.Parameter(torch.ones(3))
        self.first = nn.Conv2d(3, 3, 1)
        self.second = self.first

    def forward(self, images: Tensor) -> Tensor:
        return self.first(images).mean((2, 3)) * self.scale


def test_parameters_outside_of_children_and_shared_ones() -> None:
    model = ImageModel(Loose(), 2)
    complexity = measure_complexity(model, 4)
    rows = layer_table(model, complexity)
    assert [(row.part, row.parameters) for row in rows] == [
        ("first", 12),
        ("(held by the net itself)", 3),
        ("head", 8),
    ]
    assert sum(row.parameters for row in rows) == complexity.parameters
