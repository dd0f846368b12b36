from __future__ import annotations

from pathlib import Path

import pytest

from resnet_zoo.experiments.recipes import describe_data
from resnet_zoo.experiments.setting import Setting


@pytest.mark.parametrize(
    ("setting", "in_paper", "seeds"),
    [
        (Setting("quick", Path()), 5, [0, 1, 2]),
        (Setting("paper", Path()), 5, [0, 1, 2, 3, 4]),
        (Setting("paper", Path()), 1, [0]),
        (Setting("paper", Path(), num_seeds=2), 5, [0, 1]),
        (Setting("quick", Path(), first_seed=3), 1, [3, 4, 5]),
        (Setting("quick", Path(), num_seeds=1, first_seed=7), 1, [7]),
    ],
)
def test_seeds(setting: Setting, in_paper: int, seeds: list[int]) -> None:
    assert list(setting.seeds(in_paper)) == seeds


def test_the_command_repeats_the_setting() -> None:
    setting = Setting(
        "paper", Path("out"), 2, Path("my data"), ("--trainer.precision", "bf16-mixed"), first_seed=3
    )
    assert setting.command("depth") == (
        "resnet-zoo reproduce depth --preset paper --seeds 2 --first-seed 3 --data-root 'my data' "
        "-- --trainer.precision bf16-mixed"
    )
    assert Setting("quick", Path("out")).command("all") == "resnet-zoo reproduce all --preset quick"


def test_seeds_are_named_beside_the_data() -> None:
    assert describe_data(Setting("quick", Path(), first_seed=3)).endswith("3 seeds, 3 to 5.")
    assert describe_data(Setting("quick", Path(), num_seeds=1)).endswith("One seed, 0.")
    assert describe_data(Setting("paper", Path())).endswith("As many seeds as the paper has runs.")
