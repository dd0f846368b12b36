# ruff: noqa: E501 - a table of messages reads best with one mistake a line
"""A mistake in a config or option is one line: which file and line, which key, what is allowed, what was meant."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from resnet_zoo.cli.main import main

MINIMAL = "model:\n  backbone: resnet20_cifar\ndata: Digits\n"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(list(words)) == 2
    assert not Path("runs").exists(), "a mistake must leave nothing behind"
    return capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"trainer:\n  max_epochs: abc\n{MINIMAL}", "mine.yaml:2: 'trainer.max_epochs' cannot be 'abc'. Allowed: int or null."),
        (f"trainr:\n  max_epochs: 1\n{MINIMAL}", "mine.yaml:1: unknown key 'trainr'. Did you mean 'trainer'?"),
        (MINIMAL.replace("data:", "  lr_schedul: null\ndata:"), "mine.yaml:3: unknown key 'model.lr_schedul'. Did you mean 'model.lr_schedule'?"),
        (MINIMAL.replace("resnet20", "resnet2O"), "mine.yaml:2: no backbone named 'resnet2O_cifar'. Did you mean 'resnet20_cifar'?"),
        (MINIMAL.replace("Digits", "Digit"), "mine.yaml:3: no data set named 'Digit'. Did you mean 'Digits'?"),
        (
            "model:\n  backbone:\n    class_path: resnet20_cifar\n    init_args:\n      shortcutt: B\ndata: Digits\n",
            "mine.yaml:5: unknown key 'model.backbone.shortcutt'. Did you mean 'shortcut'? resnet20_cifar accepts:",
        ),
        (
            "model:\n  backbone:\n    class_path: resnet20_cifar\n    init_args:\n      shortcut: Q\ndata: Digits\n",
            "mine.yaml:5: 'model.backbone.shortcut' cannot be 'Q'. Allowed: one of 'A', 'B', 'C', 'D'.",
        ),
        (
            f"trainer:\n  callbacks:\n  - class_path: lightning.pytorch.callbacks.Timer\n    init_args: {{durtion: 1}}\n{MINIMAL}",
            "mine.yaml:4: unknown key 'trainer.callbacks.0.durtion'. Did you mean 'duration'?",
        ),
        (
            "model:\n  backbone: resnet20_cifar\ndata:\n  class_path: ImageFolder\n  init_args: {root: images}\n",
            "mine.yaml:3: ImageFolder needs global_batch_size, which is not set. Give --data.global_batch_size VALUE, or it below data.init_args in a config.",
        ),
        (f"trainer:\n  logger: true\n{MINIMAL}", "mine.yaml:2: 'trainer.logger' cannot be set. Choose with the top-level key 'logger'"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_file_names_the_line(
    text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine.yaml").write_text(text)
    assert _refused(capsys, "fit", "--config", "mine.yaml").startswith(message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--trainer.max_epoch 1", "command line: unknown key '--trainer.max_epoch'. Did you mean 'trainer.max_epochs'?"),
        ("--model.backbone resnet5O", "no backbone named 'resnet5O'. Did you mean 'resnet50'? See 'resnet-zoo list'"),
        ("--model.backbone.shortcut Z", "command line: 'model.backbone.shortcut' cannot be 'Z'. Allowed: one of 'A', 'B', 'C', 'D'."),
        ("--data ImageFolder", "command line: ImageFolder needs root and global_batch_size, which are not set. Give --data.root VALUE --data.global_batch_size VALUE, or them below"),
        ("--data.val_siz 3", "command line: unknown key '--data.val_siz'. Did you mean 'val_size'? Digits accepts:"),
        ("--model.optimizer.lr fast", "command line: 'model.optimizer.lr' cannot be 'fast'. Allowed: float."),
        ("--model.optimizer SDG", "no optimizer in torch.optim named 'SDG'. Did you mean 'SGD'?"),
        ("--model.optimizer torch.optim.SDG", "no optimizer at 'torch.optim.SDG': module 'torch.optim' has no attribute 'SDG'."),
        ("--model.optimizer nowhere.Lamb", "no optimizer at 'nowhere.Lamb': nowhere is not installed. Install nowhere, or use torch.optim."),
        ("--logger wandbb", "command line: 'logger' cannot be 'wandbb'. Allowed: one of 'wandb', 'tensorboard', 'none'."),
        ("stray", "command line: 'stray' is no option. Options are written --key value."),
        ("--data ImageNet --data.root nowhere", "ImageNet root 'nowhere' does not exist"),
        (
            "--data.global_batch_size 65 --trainer.accumulate_grad_batches 2",
            "global_batch_size=65 does not divide over 2 accumulated batches. Use a multiple of 2, e.g. 64 or 66.",
        ),
        ("--ckpt_path nowhere.ckpt", "no checkpoint at 'nowhere.ckpt'."),
        ("--checkpoint.monitor val/top2", "command line: 'checkpoint.monitor' cannot be 'val/top2'. Allowed: one of 'val/top1'"),
    ],
)  # fmt: skip
def test_a_mistake_on_the_command_line_says_so(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _refused(capsys, "fit", "--config", "quickstart", *words.split()).startswith(message)


def test_what_is_missing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert _refused(capsys, "fit").startswith("not set: model.backbone, data. Give a config")


def test_an_evaluation_without_weights_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert _refused(capsys, "test", "--config", "quickstart").startswith(
        "test needs trained weights: --ckpt_path"
    )


def test_an_optimizer_of_an_extra_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "resnet_zoo.cli.names.find_spec", lambda name: None if name == "timm" else find_spec(name)
    )
    assert _refused(capsys, "fit", "--config", "quickstart", "--model.optimizer", "timm.optim.Lamb") == (
        "no optimizer at 'timm.optim.Lamb': timm is not installed. pip install 'resnet-zoo[timm]', or use torch.optim."
    )
