"""How much of the average is kept, and what the user is told of it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from resnet_zoo.callbacks import EmaSettings
from resnet_zoo.callbacks.ema_decay import EmaDecay, decay_of, ema_notes
from resnet_zoo.errors import InvalidValue


def test_rescaling_gives_what_torchvision_s_recipe_trains_with() -> None:
    """8 GPUs x 128 images, every 32 steps, 600 epochs, decay 0.99998: the values of its ResNet-50 recipe."""
    settings = EmaSettings(decay=0.99998, every_n_steps=32, rescale=True)
    found = decay_of(settings, 8 * 128, 600 * 1252, 1252)
    assert found.decay == pytest.approx(1 - 2e-5 * 8 * 128 * 32 / 600)
    assert (
        "0.99998 rescaled to 0.998908 for global batch 1024, every 32 updates, 600 epochs" in found.sentence
    )


def test_rescaling_never_keeps_less_than_nothing() -> None:
    assert decay_of(EmaSettings(decay=0.5, rescale=True), 4096, 10, 10).decay == 0.0


@pytest.mark.parametrize(("batch_size", "total_steps"), [(None, 100), (128, None)])
def test_rescaling_needs_batch_size_and_end(batch_size: int | None, total_steps: int | None) -> None:
    with pytest.raises(
        InvalidValue, match=r"ema\.rescale needs a data module with a global_batch_size and an end"
    ):
        decay_of(EmaSettings(decay=0.9, rescale=True), batch_size, total_steps, 10)


def test_the_warm_up_rises_to_the_decay_and_stays_there() -> None:
    decays = [EmaDecay(0.99, True, "").at(count) for count in range(2000)]
    assert decays[:3] == [0.0, 2 / 11, 3 / 12]
    assert decays == sorted(decays)
    assert decays[880] < decays[900] == decays[-1] == 0.99
    assert EmaDecay(0.99, False, "").at(1) == 0.99


@pytest.mark.parametrize("warm_up", [False, True])
@pytest.mark.parametrize("averagings", [0, 1, 2, 50, 1000])
def test_the_share_of_the_first_weights_is_the_product_of_the_decays(warm_up: bool, averagings: int) -> None:
    decay = EmaDecay(0.97, warm_up, "")
    product = math.prod(decay.at(count) for count in range(1, averagings))
    assert decay.share_of_the_first(averagings) == pytest.approx(product, rel=1e-9)


def test_an_average_that_is_still_the_beginning_is_told() -> None:
    settings = EmaSettings(decay=0.9999)
    short, long = (
        ema_notes(settings, decay_of(settings, 128, end, 100), end, 100) for end in (1000, 100_000)
    )
    assert short[0].endswith(
        "decay 0.9999 at every update; it reaches back over about 10,000 updates (100.0 epochs)"
    )
    assert "90 % of the average are the weights it began with" in short[1]
    assert len(long) == 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            EmaSettings(0.9, start_epoch=10),
            "ends before ema.start_epoch=10, from which on weights are averaged",
        ),
        (
            EmaSettings(0.9, every_n_steps=1001),
            "100 % of the average are the weights it began with: choose a smaller ema.every_n_steps",
        ),
    ],
)
def test_an_average_that_a_training_is_too_short_for_is_told(settings: EmaSettings, said: str) -> None:
    assert said in ema_notes(settings, decay_of(settings, 128, 1000, 100), 1000, 100)[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"decay": 1.0}, r"ema\.decay=1 is outside \(0, 1\)"),
        ({"decay": 0.0}, r"ema\.decay=0 is outside \(0, 1\)"),
        ({"decay": 0.9, "every_n_steps": 0}, r"ema\.every_n_steps=0 must be at least 1"),
        ({"decay": 0.9, "start_epoch": -1}, r"ema\.start_epoch=-1 must not be less than 0"),
        ({"rescale": True}, r"ema\.rescale has no effect without ema\.decay"),
    ],
)
def test_settings_that_mean_nothing_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        EmaSettings(**arguments)
