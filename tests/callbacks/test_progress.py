"""A log gets few lines that say where the run is; a terminal gets a bar with our numbers."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm

from resnet_zoo.callbacks import MetricsWriter, ProgressLines, TerminalBar, default_progress_bar


def test_the_kind_follows_the_terminal() -> None:
    assert isinstance(default_progress_bar(is_tty=True), TerminalBar)
    assert isinstance(default_progress_bar(is_tty=False), ProgressLines)


def fit(make_trainer: Any, module: Any, images: Any, bar: Any, **settings: Any) -> None:
    trainer = make_trainer(callbacks=[MetricsWriter(), bar], enable_progress_bar=True, **settings)
    trainer.fit(module(), images(32), images(10))


def test_a_short_training_is_one_line_an_epoch(
    make_trainer: Any, module: Any, images: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(make_trainer, module, images, ProgressLines())
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 2
    assert re.fullmatch(
        r"epoch 2/2  step 16/16  train loss \d\.\d{4}  top1 [\d.]+  top5 [\d.]+  val top1 [\d.]+  "
        r"lr 0\.5  [\d,]+ images/s  ETA 0:00:00",
        lines[1],
    )


def test_a_long_epoch_has_lines_in_between(
    make_trainer: Any, module: Any, images: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(make_trainer, module, images, ProgressLines(seconds=0), max_epochs=1)
    lines = capsys.readouterr().err.splitlines()
    # Eight updates, three batches of validation, and the epoch's end.
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/1"] * 8 + [
        f"validation: {n} of 3 batches" for n in (1, 2, 3)
    ] + ["epoch 1/1"]
    assert "train loss" not in lines[0]
    assert "train loss" in lines[7]


def test_a_validation_within_an_epoch_has_a_line_of_its_own(
    make_trainer: Any, module: Any, images: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(make_trainer, module, images, ProgressLines(), max_epochs=1, val_check_interval=4)
    lines = capsys.readouterr().err.splitlines()
    assert [re.search(r"step (\d+).*val top1", line).group(1) for line in lines] == ["4", "8"]  # type: ignore[union-attr]


def test_a_training_without_an_end_has_no_eta(
    make_trainer: Any, module: Any, images: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(make_trainer, module, images, ProgressLines(), max_epochs=-1, max_time={"seconds": 0})
    assert "ETA" not in capsys.readouterr().err


def test_max_steps_and_accumulation_are_counted_in_updates(
    make_trainer: Any, module: Any, images: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(make_trainer, module, images, ProgressLines(), max_steps=3, accumulate_grad_batches=2)
    assert "step 3/3 " in capsys.readouterr().err
    fit(make_trainer, module, images, ProgressLines(), accumulate_grad_batches=3)
    assert "step 6/6 " in capsys.readouterr().err


def test_an_evaluation_counts_its_batches(
    make_trainer: Any, module: Any, images: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = make_trainer(callbacks=[ProgressLines(seconds=0)], enable_progress_bar=True)
    trainer.test(module(), images(10), verbose=False)
    assert capsys.readouterr().err.splitlines() == [f"test: {n} of 3 batches" for n in (1, 2, 3)]


def test_other_ranks_are_silent(
    make_trainer: Any, module: Any, images: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    bar = ProgressLines()
    bar.disable()
    fit(make_trainer, module, images, bar)
    assert capsys.readouterr().err == ""


def test_the_bar_shows_our_numbers_on_standard_error(
    make_trainer: Any, module: Any, images: Any, memory: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(make_trainer, module, images, TerminalBar(), logger=memory)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Epoch 2/2" in err
    assert re.search(r"train/loss=\d\.\d+, train/top1=[\d.]+, val/top1=[\d.]+, lr=0\.5", err)
    assert "v_num" not in err


def count_refreshes(make_trainer: Any, net: Any, loader: Any, seconds: float) -> int:
    """Of a training of two epochs."""
    with pytest.MonkeyPatch.context() as patch:
        refreshes: list[object] = []
        patch.setattr(Tqdm, "refresh", lambda bar, *args, **kwargs: refreshes.append(bar))
        make_trainer(callbacks=[TerminalBar(seconds)], enable_progress_bar=True).fit(net, loader)
    return len(refreshes)


def test_the_bar_is_drawn_once_where_it_is_time_and_at_an_epoch_s_end(
    make_trainer: Any, module: Any, images: Any
) -> None:
    always = count_refreshes(make_trainer, module(), images(32), seconds=0.0)
    never = count_refreshes(make_trainer, module(), images(32), seconds=math.inf)
    # After the first of all batches and the last of each epoch, instead of after all 16.
    assert always - never == 16 - 3


def test_a_switched_off_bar_is_not_drawn(
    make_trainer: Any, module: Any, images: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    bar = TerminalBar(seconds=0.0)
    bar.disable()
    fit(make_trainer, module, images, bar)
    assert capsys.readouterr().err == ""


def test_the_bar_goes_through_evaluations(make_trainer: Any, module: Any, images: Any) -> None:
    trainer = make_trainer(callbacks=[TerminalBar()], enable_progress_bar=True)
    trainer.validate(module(), images(10), verbose=False)
    trainer.test(module(), images(10), verbose=False)
