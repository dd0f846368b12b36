# ruff: noqa: E501 - a table of messages reads best with one mistake a line
"""A mistake in a config or option is one line: which file and line, which key, what is allowed, what was meant."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from resnet_zoo.cli.launch import Launch
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
        ("model: resnet20_cifar\ndata: Digits\n", "mine.yaml:1: 'model' cannot be 'resnet20_cifar': it has keys of its own, "),
        (f"trainer.max_epochs: 1\n{MINIMAL}", "mine.yaml:1: 'trainer.max_epochs': in a file, write 'trainer:' and 'max_epochs:' below it."),
        (
            "model:\n  backbone: resnet20_cifar\ndata:\n  class_path: Digits\n  global_batch_size: 32\n",
            "mine.yaml:5: unknown key 'data.global_batch_size'. Arguments of a class stand below data.init_args.",
        ),
        (f"trainer: {{callbacks: [EarlyStoping]}}\n{MINIMAL}", "mine.yaml:1: 'trainer.callbacks' has 'EarlyStoping', which is no class that is known. Give its import path"),
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
        ("--trainer.precision auto", "command line: 'trainer.precision' cannot be 'auto'. Did you mean the key 'precision', as in --precision auto? Allowed: "),
        ("--data.progressive_resizing 64", "command line: 'data.progressive_resizing' has '64', which is no class that is known. Give its import path, as package.module.Class, or arguments, as --data.progressive_resizing.KEY VALUE."),
        ("--logger wandbb", "command line: 'logger' cannot be 'wandbb'. Allowed: one of 'wandb', 'tensorboard', 'none'."),
        ("--epochs 3", "command line: unknown key '--epochs'. Did you mean 'trainer.max_epochs'?"),
        ("--batch-size 3", "command line: unknown key '--batch-size'. Did you mean 'data.global_batch_size'?"),
        ("--lr 3", "command line: unknown key '--lr'. Did you mean 'model.optimizer.lr'?"),
        ("--ema 0.99", "command line: 'ema' cannot be '0.99': it has keys of its own, "),
        ("--model.num_classes 5", "command line: 'model.num_classes' cannot be set: it follows from 'data'. Leave it out."),
        ("--run_dir", "command line: --run_dir needs a value."),
        ("--model.optimizer.lr -0.1", "model.optimizer: Invalid learning rate: -0.1"),
        ("--trainer.max_epochs -3", "the trainer refuses its settings: `max_epochs` must be a non-negative integer or -1. You passed in -3."),
        ("--trainer.accelerator cpu --trainer.devices two", "the trainer refuses its settings: `devices` selected with `CPUAccelerator` should be an int > 0."),
        ("--trainer.strategy ddpp", "the trainer refuses its settings: You selected an invalid strategy name: `strategy='ddpp'`."),
        ("--trainer.limit_train_batches 1.5", "the trainer refuses its settings: You have passed invalid value 1.5 for limit_train_batches"),
        ("--data img", "no data set named 'img'. Known: CIFAR10, CIFAR100, Digits, ImageFolder, ImageNet, Synthetic."),
        ("quickstart", "command line: 'quickstart' is no option. Did you mean --config quickstart?"),
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


def test_an_argument_that_a_class_of_a_list_has_not_is_named_with_those_it_has(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("--data.augment", "[RandomErasing, {class_path: MixUp, init_args: {imges_per_share: 4}}]")
    said = "command line: unknown key '--data.augment: imges_per_share'. Did you mean 'images_per_share'? MixUp accepts: "
    assert _refused(capsys, "fit", "--config", "quickstart", *words).startswith(said)


def test_what_is_missing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert _refused(capsys, "fit").startswith("not set: model.backbone, data. Give a config")


@pytest.mark.parametrize("words", ["test", "test --config quickstart", "test --data Digits"])
def test_an_evaluation_without_weights_is_refused(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _refused(capsys, *words.split()).startswith("test needs trained weights: --ckpt_path")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--ckpt_path nowhere.ckpt", "no checkpoint at 'nowhere.ckpt'."),
        ("--ckpt_path best", "--ckpt_path best needs --run_dir, the run whose checkpoint is meant."),
        ("--ckpt_path last --run_dir nowhere", "no checkpoint at 'nowhere/checkpoints/last.ckpt'."),
    ],
)
def test_an_evaluation_without_a_config_says_what_is_wrong_with_the_checkpoint(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _refused(capsys, "validate", *words.split()).startswith(message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("validate --ckpt_path nowhere.ckpt", "no checkpoint at 'nowhere.ckpt'."),
        ("fit --config quikstart", "no config named 'quikstart'."),
        ("fit --config quickstart --data Digit", "no data set named 'Digit'."),
    ],
)
def test_of_the_processes_of_a_node_the_first_says_a_mistake(
    words: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for rank, said in ((0, True), (1, False), (2, True), (3, False)):
        monkeypatch.setenv("LOCAL_RANK", str(rank % 2))
        monkeypatch.setattr(
            "resnet_zoo.cli.training.detect", lambda rank=rank: Launch("torchrun", rank, 4, 2)
        )
        assert main(words.split()) == 2
        assert capsys.readouterr().err.startswith(message) == said


def test_a_gpu_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    message = "accelerator 'cuda' was asked for, and torch finds none here. Use cpu, or auto"
    assert _refused(capsys, "fit", "--config", "quickstart", "--trainer.accelerator", "cuda").startswith(
        message
    )
    words = ["benchmark", "step", "--backbone", "resnet20_cifar", "--accelerator", "cuda"]
    assert _refused(capsys, *words).startswith(message)


def test_an_optimizer_of_an_extra_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "resnet_zoo.cli.names.find_spec", lambda name: None if name == "timm" else find_spec(name)
    )
    assert _refused(capsys, "fit", "--config", "quickstart", "--model.optimizer", "timm.optim.Lamb") == (
        "no optimizer at 'timm.optim.Lamb': timm is not installed. pip install 'resnet-zoo[timm]', or use torch.optim."
    )
