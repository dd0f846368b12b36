"""Lightning's advertisements and repetitions are gone; what it has to say about a problem is not."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn

from resnet_zoo.callbacks import quieten_lightning
from resnet_zoo.callbacks.quiet import UNWANTED_LINES


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What Lightning's loggers let through."""
    quieten_lightning()
    seen: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("lightning.pytorch")
    logger.addHandler(handler)
    yield seen
    logger.removeHandler(handler)


def test_a_training_starts_and_ends_in_silence(
    make_trainer: Any, module: Any, images: Any, lines: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    trainer = make_trainer(log_every_n_steps=50, precision="bf16-mixed")
    trainer.fit(module(), images(32), images(10))
    assert lines == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("line", UNWANTED_LINES)
def test_a_line_goes_only_if_it_begins_so(lines: list[str], line: str) -> None:
    rank_zero_info(f"{line} and more")
    rank_zero_info(f"A problem with {line}")
    assert lines == [f"A problem with {line}"]


def test_other_lines_and_warnings_stay(lines: list[str]) -> None:
    rank_zero_info("Metric val/top1 improved.")
    assert lines == ["Metric val/top1 improved."]
    with pytest.warns(UserWarning, match="in eval mode"):
        rank_zero_warn("Found 3 module(s) in eval mode at the start of training.")


def test_calling_it_again_adds_nothing() -> None:
    quieten_lightning()
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    before = list(logger.filters), list(warnings.filters)
    quieten_lightning()
    assert (list(logger.filters), list(warnings.filters)) == before


@pytest.mark.parametrize(
    "message",
    [
        "`isinstance(treespec, LeafSpec)` is deprecated, use `isinstance(treespec, TreeSpec)` instead.",
        "The 'train_dataloader' does not have many workers which may be a bottleneck.",
        "The number of training batches (8) is smaller than the logging interval Trainer(log_every_n_steps=50).",
        "It is recommended to use `self.log('val/loss', ..., sync_dist=True)` when logging on epoch level.",
        "Using `DistributedSampler` with the dataloaders. During `trainer.test()`, it is recommended to",
    ],
)
def test_warnings_that_do_not_apply_are_ignored(message: str) -> None:
    quieten_lightning()
    warnings.warn(message, UserWarning, stacklevel=1)
