"""``augment`` in configs and on the command line: names in lists, errors with file and line, the resolved config."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from resnet_zoo.cli.arguments import parse_arguments
from resnet_zoo.cli.launch import Launch
from resnet_zoo.cli.main import main
from resnet_zoo.cli.names import NAMED_KEYS
from resnet_zoo.cli.training_cli import TrainingCLI
from resnet_zoo.data.augmentations import CutMix, MixUp, RandAugment, RandomErasing, TrivialAugmentWide
from resnet_zoo.errors import UnknownName

CONFIG = """
trainer: {max_epochs: 1, accelerator: cpu}
model:
  backbone: {class_path: tests.small_nets.convolutional}
  optimizer: {class_path: SGD, init_args: {lr: 0.1}}
  loss: binary_cross_entropy
  target_threshold: 0.2
data:
  class_path: Digits
  init_args:
    repeated_augmentation: 3
    augment:
      - TrivialAugmentWide
      - {class_path: RandAugment, init_args: {policy: increasing, magnitude: 7, magnitude_std: 0.5}}
      - {class_path: resnet_zoo.data.augmentations.MixUp, init_args: {alpha: 0.1, probability: 0.5}}
      - {class_path: CutMix, init_args: {probability: 0.5}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(CONFIG)
    return path


def cli_of(config: Path, *words: str) -> TrainingCLI:
    return TrainingCLI("fit", parse_arguments(["--config", str(config), *words], NAMED_KEYS), Launch("none"))


def test_names_and_paths_become_augmentations_and_names_again(config: Path, tmp_path: Path) -> None:
    cli = cli_of(config)
    kinds = [type(each) for each in cli.datamodule.augment.augmentations]
    assert kinds == [TrivialAugmentWide, RandAugment, MixUp, CutMix]
    resolved = cli.resolved_config()
    listed = yaml.safe_load(resolved)["data"]["init_args"]["augment"]
    assert [each["class_path"] for each in listed] == ["TrivialAugmentWide", "RandAugment", "MixUp", "CutMix"]
    assert listed[1]["init_args"]["magnitude_std"] == 0.5
    again = tmp_path / "config.yaml"
    again.write_text(resolved)
    assert repr(cli_of(again).datamodule.augment.augmentations) == repr(cli.datamodule.augment.augmentations)


def test_the_command_line_replaces_and_appends(config: Path) -> None:
    replaced = cli_of(config, "--data.augment", "[RandAugment, {class_path: MixUp, init_args: {alpha: 1}}]")
    assert [type(each) for each in replaced.datamodule.augment.augmentations] == [RandAugment, MixUp]
    appended = cli_of(config, "--data.augment", "[RandomErasing]", "--data.augment+=MixUp")
    assert [type(each) for each in appended.datamodule.augment.augmentations] == [RandomErasing, MixUp]


def test_an_unknown_name_has_its_line_and_the_nearest_name(config: Path) -> None:
    config.write_text(CONFIG.replace("- TrivialAugmentWide", "- TrivialAugment"))
    with pytest.raises(UnknownName) as caught:
        cli_of(config)
    message = str(caught.value)
    assert message.startswith(f"{config}:13: no augmentation named 'TrivialAugment'.")
    assert "Did you mean 'TrivialAugmentWide'" in message
    assert (
        "Known: ColorJitter, CutMix, Cutout, MixUp, RandAugment, RandomErasing, TrivialAugmentWide."
        in message
    )
    config.write_text(CONFIG)
    with pytest.raises(UnknownName, match=r"no augmentation named 'Mixup'. Did you mean 'MixUp'"):
        cli_of(config, "--data.augment+=Mixup")
    with pytest.raises(UnknownName, match=r"'torch.nn.ReLU' is no augmentation"):
        cli_of(config, "--data.augment", "[torch.nn.ReLU]")


def test_an_unknown_option_lists_the_allowed_ones(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(CONFIG.replace("{alpha: 0.1,", "{alfa: 0.1,"))
    assert main(["explain", "--config", str(config)]) == 2
    message = capsys.readouterr().err
    assert f"{config}:15: unknown key" in message
    assert "Did you mean 'alpha'? MixUp accepts: alpha, probability, images_per_share." in message


def test_explain_says_what_happens_where(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--config", str(config)]) == 0
    printed = capsys.readouterr().out
    lines = printed[printed.index("# augmentation of training images") :].splitlines()
    assert lines[1] == "in the loader: TrivialAugmentWide(interpolation='nearest', fill=(0, 0, 0))"
    assert lines[2].startswith("in the loader: RandAugment(num_ops=2, magnitude=7")
    assert lines[3] == "on the device: BatchAugmentation(pad=1, flip=False, color_noise=0.0)"
    assert lines[4] == "on the device: MixUp(alpha=0.1, probability=0.5, images_per_share=1)"
    assert lines[6] == "every image 3 times per pass over the data, which takes 3 epochs"
