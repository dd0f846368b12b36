"""What the training commands answer before torch is there: their help, and mistakes in the text of a config.

Importing Lightning takes most of ten seconds, and the list of all keys is made from the signatures of its classes. The
keys that people set are few; they are named here, and a test holds that the parser has each of them.
"""

from __future__ import annotations

import importlib
import os
import textwrap

from resnet_zoo.cli.arguments import joined, not_set, parse_arguments
from resnet_zoo.cli.commands import HELP
from resnet_zoo.cli.descriptions import DESCRIPTIONS
from resnet_zoo.errors import InvalidValue

EVALUATIONS = ("validate", "test")
ALL_KEYS = "--help=all"
_WIDTH = 100
_INDENT = 34

Keys = dict[str, str]
"""A key with what its value is, and what it does."""

CHOOSING: Keys = {
    "--config FILE": "a config, by path or by the name of a shipped one; of several, later ones win, and options win "
    "over all",
    "--model.backbone NAME": "a name from 'resnet-zoo list', or an import path; its arguments follow as "
    "--model.backbone.KEY VALUE",
    "--data NAME": "ImageFolder, ImageNet, CIFAR10, CIFAR100, Digits or Synthetic, or an import path; its arguments "
    "follow as --data.KEY VALUE",
    "--run_dir DIR": "where everything of the run goes; by default runs/CONFIG/NUMBER, and of an evaluation "
    "COMMAND/NUMBER in the run whose checkpoint it is of",
    "--trainer.devices N": "processes on this machine, one a GPU or a share of the CPU's cores",
    "--precision auto": "bfloat16 where the device computes in it; --trainer.precision names one",
}
TRAINING: Keys = {
    "--data.global_batch_size N": "images of an update, over all processes",
    "--trainer.max_epochs N": "how long; --trainer.max_steps counts updates",
    "--model.optimizer NAME": "of torch.optim, or an import path; --model.optimizer.lr and others follow",
    "--model.lr_schedule NAME": "StepSchedule, CosineSchedule, OneCycleSchedule, ...; arguments follow",
    "--model.weights FILE": "weights to start from",
    "--ema.decay SHARE": "average the weights, and score the average beside them",
    "--checkpoint.monitor SCORE": "what decides which epoch is the best, by default val/top1",
    "--seed_everything N": "of weights, order and augmentation",
}
RUNNING: Keys = {
    "--resume auto": "go on from the newest checkpoint of --run_dir, or start afresh",
    "--logger NAME": "wandb, tensorboard or none; metrics.csv is always written",
}
EVALUATING: Keys = {
    "--ckpt_path FILE": "the checkpoint; 'best' or 'last' is of --run_dir; its run's config is taken unless one is "
    "given",
    "--weights NAME": "raw or ema, of a checkpoint that has a moving average",
}
VIEWING: Keys = {
    "--protocol NAME": "center, ten_crop or multi_scale; several --ckpt_path make an ensemble",
}
MEASURING: Keys = {
    "--measure": "time a few training steps on this device and say how many hours the whole takes",
}


def keys_of(command: str) -> Keys:
    """The keys that the help of a command names."""
    if command == "explain":
        return {**CHOOSING, **TRAINING, **MEASURING}
    if command == "fit":
        return {**CHOOSING, **TRAINING, **RUNNING}
    return {**EVALUATING, **(VIEWING if command in EVALUATIONS else {}), **CHOOSING}


def help_of(command: str) -> str:
    """The text of ``resnet-zoo COMMAND --help``."""
    what, _, example = DESCRIPTIONS[command].rpartition(" Example: ")
    lines = [f"usage: resnet-zoo {command} [--config FILE ...] [--KEY VALUE ...]", "", what, ""]
    for key, meaning in {
        **keys_of(command),
        "--help all": "every key, with its type and its default",
    }.items():
        lines += textwrap.wrap(
            meaning, _WIDTH, initial_indent=f"  {key:<{_INDENT - 2}}", subsequent_indent=" " * _INDENT
        )
    return "\n".join(
        [
            *lines,
            "",
            "Keys are those of the YAML files. --data.help NAME lists the arguments of a data set, 'resnet-zoo",
            "describe NAME' those of a backbone, and --print_config shows a config with every default.",
            "",
            f"example: {example}",
        ]
    )


def main(argv: list[str]) -> int:
    """Answer what can be answered at once, and hand over the rest.

    Args:
        argv: the command, then its options.

    Returns:
        the exit code.

    Raises:
        UserMistake: a config is not there or cannot be read, or what the command has to say.
    """
    command, words = argv[0], joined(argv[1:])
    if ALL_KEYS in words:
        words = ["--help"]
    elif any(word.partition("=")[0] in HELP for word in words):
        print(help_of(command))
        return 0
    elif not words and command not in ("predict", *EVALUATIONS):
        raise not_set("model.backbone", "data")
    # Of the processes of a node the first says what is wrong with a file. Names are looked up where the classes are.
    if os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0")) == "0":
        parse_arguments(words, {})
    if command == "explain":
        if any(word.startswith("--measure=") for word in words):
            raise InvalidValue("--measure takes no value. Leave out what stands behind it.")
        explained: int = importlib.import_module("resnet_zoo.cli.explain").main(words)
        return explained
    trained: int = importlib.import_module("resnet_zoo.cli.training").main([command, *words])
    return trained
