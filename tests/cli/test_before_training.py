"""The short help of the training commands names keys that there are, and --help all names every one."""

from __future__ import annotations

import pytest

from resnet_zoo.cli import before_training
from resnet_zoo.cli.arguments import parse_arguments
from resnet_zoo.cli.before_training import keys_of
from resnet_zoo.cli.descriptions import DESCRIPTIONS
from resnet_zoo.cli.launch import Launch
from resnet_zoo.cli.main import main
from resnet_zoo.cli.names import NAMED_KEYS
from resnet_zoo.cli.training_cli import TrainingCLI
from resnet_zoo.errors import InvalidValue, UnknownName

OF_A_CLASS = {"data.global_batch_size": "data"}
OURS = {"measure"}


@pytest.mark.parametrize("command", ["fit", "test", "predict", "explain"])
def test_every_key_in_the_help_is_one(command: str) -> None:
    arguments = parse_arguments(["--config", "quickstart"], NAMED_KEYS)
    cli = TrainingCLI(command, arguments, Launch("none"), construct=False)
    known = {action.dest for action in cli.parser._actions}
    named = {key.removeprefix("--").split()[0] for key in keys_of(command)} - OURS
    assert {OF_A_CLASS.get(key, key) for key in named} <= known


@pytest.mark.parametrize("command", DESCRIPTIONS)
@pytest.mark.parametrize(
    "words", [["--help"], ["-h"], ["--help", "quickstart"], ["--trainer.devices", "2", "--help"]]
)
def test_help(command: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, *words]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: resnet-zoo {command} ")
    assert f"example: resnet-zoo {command} --config" in text
    assert all(f"  {key} " in text for key in keys_of(command))


def test_help_of_everything(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["fit", "--help", "all"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "--trainer.max_epochs" in text
    assert "--wandb.finish_within" in text


def test_a_mistake_in_the_text_of_a_config_is_said_before_anything_is_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(before_training.importlib, "import_module", pytest.fail)
    with pytest.raises(UnknownName, match="Did you mean 'quickstart'"):
        before_training.main(["fit", "--config", "quikstart"])
    with pytest.raises(InvalidValue, match=r"not set: model.backbone, data. Give a config"):
        before_training.main(["explain"])
