"""How the nets of the experiments are trained: on the embedded digits, and on CIFAR-10 and ImageNet as in the papers.

The functions give ``TrainingRun``s; all of them are ordinary trainings that ``resnet-zoo fit`` can repeat from the
config file that each leaves behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resnet_zoo.data import CIFAR10, Digits, ImageDataModule, ImageNet
from resnet_zoo.errors import MissingData
from resnet_zoo.experiments.rebuild import build_data
from resnet_zoo.experiments.runs import TrainingRun
from resnet_zoo.experiments.setting import Setting

EPOCHS = 10
"""Enough for every net that trains at all to fit the digits; at 5, deep residual nets are still on their way."""

EPOCHS_PER_TEST = 2
"""A point of the test curves every second epoch is enough, and half of the tests are saved."""

SGD = {"momentum": 0.9, "nesterov": True, "fused": True}

WIDTH = 8
"""Half the paper's: the smallest nets that show the effects clearly."""

DATA = Path("data")

VALIDATION_SHARE = 0.1
"""5,000 of CIFAR-10's 50,000 training images, as He et al. 2015 (arXiv:1512.03385), section 4.2, set aside."""


def on_digits(
    label: str,
    seed: int,
    backbone: str,
    arguments: Mapping[str, Any],
    *,
    epochs: int = EPOCHS,
    learning_rate: float = 0.1,
    weight_decay: float = 1e-4,
    data: Mapping[str, Any] | None = None,
    trainer: Mapping[str, Any] | None = None,
    cost: float = 1.0,
) -> TrainingRun:
    """A training on the embedded 8x8 digits: 1,438 images, batches of 64, a rise and fall of the rate, on the CPU.

    The test split is scored every second epoch for the curves, and chooses nothing: claims look at the last epoch.

    Args:
        label: of the run.
        seed: of the run.
        backbone: name of the net.
        arguments: of its builder.
        epochs: length of the training.
        learning_rate: at the peak, after a quarter of the training.
        weight_decay: of SGD.
        data: further arguments of the data set.
        trainer: further keys of the trainer.
        cost: roughly how long it takes beside the others.
    """
    optimizer = {**SGD, "lr": learning_rate, "weight_decay": weight_decay}
    settings = {
        "trainer": {
            "max_epochs": epochs,
            "accelerator": "cpu",
            "devices": 1,
            "enable_progress_bar": False,
            "log_every_n_steps": 1_000_000,  # a row at every epoch's end is enough
            "check_val_every_n_epoch": EPOCHS_PER_TEST,
            **(trainer or {}),
        },
        "model": {
            "backbone": {"class_path": backbone, "init_args": dict(arguments)},
            "optimizer": {"class_path": "torch.optim.SGD", "init_args": optimizer},
            "lr_schedule": {"class_path": "OneCycleSchedule", "init_args": {"warmup_fraction": 0.25}},
        },
        "data": {
            "class_path": "Digits",
            "init_args": {
                "global_batch_size": 64,
                "validate_on_test": True,
                "eval_batch_size": 500,
                **(data or {}),
            },
        },
        "checkpoint": {"every_n_epochs": 1_000_000},  # the last epoch is always kept
    }
    return TrainingRun(label, seed, settings, cost=cost * epochs)


def on_cifar(
    setting: Setting,
    label: str,
    seed: int,
    config: str,
    backbone: str,
    arguments: Mapping[str, Any] | None = None,
) -> TrainingRun:
    """A training on CIFAR-10 by the protocol of a shipped config, with another backbone.

    Args:
        setting: knows where the data are and what the user adds.
        label: of the run.
        seed: of the run.
        config: name of the shipped config.
        backbone: name of the net.
        arguments: of its builder.
    """
    settings = {
        "trainer": {"enable_progress_bar": False, "devices": 1},
        "model": {"backbone": {"class_path": backbone, "init_args": dict(arguments or {})}},
        "data": cifar_data(setting),
    }
    root = str(data_folder(setting, "cifar10"))
    return TrainingRun(label, seed, settings, config, setting.options, ("--data.root", root))


def data_folder(setting: Setting, name: str) -> Path:
    """The folder of a data set: below the folder of all data, or that folder itself."""
    given = setting.data_root or DATA
    return given if setting.data_root and not (given / name).is_dir() else given / name


def cifar_data(setting: Setting) -> dict[str, Any]:
    """CIFAR-10 as a config has it: the original files, or one folder of images per class, 45,000 for training."""
    root = data_folder(setting, "cifar10")
    if (root / "train").is_dir():
        arguments = {"pipeline": "cifar", "val_fraction": VALIDATION_SHARE, "global_batch_size": 128}
        return {"class_path": "ImageFolder", "init_args": arguments}
    return {
        "class_path": "CIFAR10",
        "init_args": {"val_size": 5000, "global_batch_size": 128},
    }


def imagenet_run(
    setting: Setting,
    label: str,
    seed: int,
    config: str,
    backbone: str,
    arguments: Mapping[str, Any] | None = None,
) -> TrainingRun:
    """A training on ImageNet by a shipped config, with another backbone."""
    root = str(data_folder(setting, "imagenet"))
    settings = {
        "trainer": {"enable_progress_bar": False, "devices": 1},
        "model": {"backbone": {"class_path": backbone, "init_args": dict(arguments or {})}},
    }
    return TrainingRun(label, seed, settings, config, setting.options, ("--data.root", root))


def analysis_data(setting: Setting) -> ImageDataModule:
    """The data on which untrained networks are looked at: the digits, or CIFAR-10 in the preset paper."""
    if setting.quick:
        return Digits()
    described = cifar_data(setting)
    root = str(data_folder(setting, "cifar10"))
    return build_data(described["class_path"], {"root": root, **described["init_args"]})


def describe_data(setting: Setting) -> str:
    """A sentence on the data that the preset's runs are trained on, for CIFAR-sized nets, and one on the seeds."""
    if setting.quick:
        data = (
            "Scikit-learn's 8x8 handwritten digits, 1,438 for training and 359 for testing, which are embedded in the "
            "package; not the paper's data."
        )
    elif cifar_data(setting)["class_path"] == "CIFAR10":
        data = "CIFAR-10, the original files, 45,000 images for training and 5,000 set aside as in the paper."
    else:
        data = (
            f"CIFAR-10 as image files below '{data_folder(setting, 'cifar10')}', 45,000 images for training and 5,000 "
            "set aside as in the paper; if they are compressed, not exactly the original pixels."
        )
    return f"{data} {_seeds(setting)}"


def _seeds(setting: Setting) -> str:
    if not setting.quick and setting.num_seeds is None:
        return "As many seeds as the paper has runs."
    seeds = setting.seeds()
    return f"One seed, {seeds[0]}." if len(seeds) == 1 else f"{len(seeds)} seeds, {seeds[0]} to {seeds[-1]}."


def require_cifar_in_paper(setting: Setting) -> None:
    """``require_cifar`` in the preset paper; the preset quick needs nothing."""
    if not setting.quick:
        require_cifar(setting)


def require_cifar(setting: Setting) -> None:
    """Refuse to start without CIFAR-10.

    Raises:
        MissingData: says which data, where they were looked for, and how to get them.
    """
    root = data_folder(setting, "cifar10")
    if (root / "train").is_dir() and (root / "test").is_dir():
        return
    try:
        CIFAR10(root=str(root))
    except MissingData as error:
        raise MissingData(
            f"the preset paper needs CIFAR-10, which was not found in '{root}' (looked for '{root.resolve()}'). Give "
            "its folder with --data-root: the one that holds the original 'cifar-10-batches-py', or one with a folder "
            "of images per class below 'train' and 'test'. To download it: resnet-zoo fit --config r20_cifar10 "
            f"--data.root {root} --data.download true --trainer.fast_dev_run true. The preset quick needs no data."
        ) from error


def require_imagenet(setting: Setting) -> None:
    """Refuse to start without ImageNet-1k.

    Raises:
        MissingData: says which data, where they were looked for, and how to get them.
    """
    root = data_folder(setting, "imagenet")
    try:
        ImageNet(root=str(root))
    except MissingData as error:
        raise MissingData(
            f"the preset paper needs ImageNet-1k, which was not found in '{root}' (looked for '{root.resolve()}'): "
            f"{error} Give with --data-root the folder that has 'train' and 'val' with a thousand folders of "
            "images each. It can be had from image-net.org after registration; see docs/data.md."
        ) from error
