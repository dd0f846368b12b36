"""The backbone of a benchmark: one spelling for every command, and what is said when it is missing or unclear."""

from __future__ import annotations

import pytest

from resnet_zoo.cli.benchmark_backbone import ChosenBackbone, parse_with_backbone
from resnet_zoo.cli.main import main
from resnet_zoo.cli.parser import CommandParser

COMMANDS = ("step", "model", "batch", "scaling")


def parsed(line: str) -> ChosenBackbone:
    parser = CommandParser("benchmark step", "", "")
    parser.add_argument("--batch-size")
    parser.add_argument("--json", action="store_true")
    return parse_with_backbone(parser, line.split())[1]


@pytest.mark.parametrize(
    "line",
    [
        "--backbone resnet50 --shortcut C --alpha -1",
        "--backbone=resnet50 --shortcut C --alpha -1",
        "resnet50 --shortcut C --alpha -1",
        "--shortcut C --batch-size 4 --alpha -1 resnet50",
        "--shortcut C --json resnet50 --alpha -1",
        "--shortcut C --alpha -1 --backbone resnet50",
        "resnet50 --backbone resnet50 --shortcut C --alpha -1",
    ],
)
def test_the_name_is_found_wherever_it_stands(line: str) -> None:
    chosen = parsed(line)
    assert (chosen.name, chosen.words) == ("resnet50", ["--shortcut", "C", "--alpha", "-1"])


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("spelling", [["plain_mpl"], ["--backbone", "plain_mpl"]])
def test_every_command_takes_both_spellings(
    command: str, spelling: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", command, *spelling]) == 2
    assert "no backbone named 'plain_mpl'. Did you mean 'plain_mlp'" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "which backbone? Give --backbone NAME"),
        ("--backbone", "argument --backbone: expected one argument"),
        (
            "resnet18 --backbone resnet34",
            "it measures one backbone, and 'resnet34' and 'resnet18' were given",
        ),
        ("--backbone resnet18 --backbone resnet34", "and 'resnet18' and 'resnet34' were given"),
        ("resnet18 34", "and 'resnet18' and '34' were given"),
        ("--precison 32-true", "unrecognized arguments: --precison 32-true. Did you mean '--precision'?"),
        (
            "resnet18 --precison 32-true",
            "nor an argument of backbone 'resnet18'. Did you mean '--precision'? See 'resnet-zoo benchmark ",
        ),
        ("resnet18 --image_size 64", "Did you mean '--image-size'?"),
        ("resnet18 --shortcat C", "nor an argument of backbone 'resnet18'. Did you mean '--shortcut'?"),
        ("resnet18 --in_channels 1", "backbone 'resnet18' with in_channels=1: images have 3 channels"),
        ("resnet18 -b 4", "backbone 'resnet18': "),
    ],
)
def test_what_is_unclear_is_told(
    command: str, line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", command, *line.split()]) == 2
    message = capsys.readouterr().err
    assert said in message
    assert message.count("\n") == 1
