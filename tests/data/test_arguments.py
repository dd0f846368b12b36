"""Data sets as a config names them: every argument typed, documented and taken."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from jsonargparse import ArgumentParser

from resnet_zoo import data
from resnet_zoo.data import CIFAR10, CIFAR100, Digits, ImageDataModule, ImageFolder, ImageNet, Synthetic

DATA_SETS = [CIFAR10, CIFAR100, ImageNet, ImageFolder, Digits, Synthetic]
COMMON = {
    "global_batch_size",
    "num_workers",
    "eval_batch_size",
    "seed",
    "drop_last",
    "augment",
    "repeated_augmentation",
    "mean",
    "std",
    "predict_root",
}


def parser() -> ArgumentParser:
    """A parser with one option for the data."""
    result = ArgumentParser(exit_on_error=False)
    result.add_subclass_arguments(ImageDataModule, "data")
    return result


@pytest.mark.parametrize("data_set", DATA_SETS)
def test_every_argument_is_documented_and_keyword_only(data_set: type[ImageDataModule]) -> None:
    parameters = {name: p for name, p in inspect.signature(data_set).parameters.items() if name != "self"}
    assert set(parameters) >= COMMON
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters.values())
    documentation = inspect.getdoc(CIFAR10 if data_set is CIFAR100 else data_set)
    assert documentation is not None
    for name in parameters:
        assert f"\n    {name}: " in documentation


@pytest.mark.parametrize("data_set", DATA_SETS)
def test_help_explains_every_argument(
    data_set: type[ImageDataModule], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args([f"--data.help=resnet_zoo.data.{data_set.__name__}"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "images per optimizer update, over all ranks and accumulated batches" in printed
    assert printed.count("type: ") >= len(inspect.signature(data_set).parameters)


def test_values_come_through_a_parser(tmp_path: Path) -> None:
    arguments = [
        "--data=resnet_zoo.data.Digits",
        "--data.global_batch_size=32",
        "--data.mean=[0.1, 0.2, 0.3]",
        "--data.std=[0.4, 0.5, 0.6]",
    ]
    built = parser().instantiate(parser().parse_args(arguments)).data
    assert isinstance(built, Digits)
    assert built.global_batch_size == 32
    assert built.normalization.std == (0.4, 0.5, 0.6)


def test_everything_public_is_exported() -> None:
    assert {data_set.__name__ for data_set in DATA_SETS} | {"ImageDataModule", "ImageBatch"} <= set(
        data.__all__
    )
