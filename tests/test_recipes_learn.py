"""Every kind of shipped recipe learns: its loss falls, and its net tells handwritten digits apart."""

from __future__ import annotations

import importlib.util

import pytest

from benchmarks.recipes_learn import KINDS, learn, shrunk
from resnet_zoo.cli.configs import shipped_configs

CHANCE, MARGIN = 10.0, 60.0
"""Percent of ten classes; what a recipe must have beyond it after thirty epochs of twenty updates."""

ALIKE = {"r50_imagenet_8192", "r50_imagenet_paper", "r50_imagenet_rsb_a1"}
"""Once scaled down, much the same as another one."""


def needs(name: str) -> list[pytest.MarkDecorator]:
    absent = "_rsb_" in name and importlib.util.find_spec("timm") is None
    reason = "its optimizer needs timm: pip install 'resnet-zoo[timm]'"
    return [pytest.mark.slow, pytest.mark.skipif(absent, reason=reason)]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs(name)) for name in KINDS if name not in ALIKE]
)
def test_a_recipe_learns(name: str) -> None:
    found = learn(name)
    assert found["last_loss"] < 0.75 * found["first_loss"]
    assert found["top1"] > CHANCE + MARGIN


def test_a_recipe_keeps_what_it_is_made_of_and_only_its_lengths_shrink() -> None:
    assert set(KINDS) <= set(shipped_configs())
    recipe = shrunk("r50_imagenet_rsb_a2", 30)
    assert recipe["model"]["loss"] == "binary_cross_entropy"
    assert recipe["model"]["optimizer"]["class_path"] == "timm.optim.Lamb"
    assert recipe["model"]["backbone"]["init_args"]["drop_path"] == 0.05
    assert recipe["model"]["lr_schedule"]["init_args"]["warmup_epochs"] == pytest.approx(0.5)
    data = recipe["data"]["init_args"]
    assert [each["class_path"] for each in data["augment"]] == ["RandAugment", "MixUp", "CutMix"]
    assert data["repeated_augmentation"] == 3
    fast = shrunk("r50_imagenet_fast_16", 16)["data"]["init_args"]["progressive_resizing"]
    assert fast == {"start_size": 10, "end_size": 12, "start_epoch": 11, "end_epoch": 13, "multiple": 2}
