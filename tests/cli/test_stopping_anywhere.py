"""A signal in the middle of any function of ours, from the reading of the config to the last line: nothing is lost."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import resnet_zoo
from resnet_zoo.cli.main import main
from resnet_zoo.runs import read_status
from tests.tiny_runs import assert_same_weights, fit_words, steps_of_metrics

pytestmark = pytest.mark.slow

PACKAGE = str(Path(resnet_zoo.__file__).parent)
MOMENTS = 12
ENDS = {(85, "preempted"), (85, None), (0, "finished"), (85, "finished")}
"""Exit code and status: stopped; before there was a run directory; too late to matter, within the run or after it."""


class Calls:
    """Counts the calls of our functions, and sends this process a signal at one of them."""

    def __init__(self, signal_at: int | None = None) -> None:
        self.signal_at = signal_at
        self.count = 0

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            self.count += 1
            if self.count == self.signal_at:
                sys.setprofile(None)
                os.kill(os.getpid(), signal.SIGTERM)


def fit(run: Path, calls: Calls | None = None, *words: str) -> int:
    """The exit code of a training whose calls are counted."""
    sys.setprofile(calls)
    try:
        return main(fit_words(run, *words))
    except SystemExit as ended:
        return int(ended.code or 0)
    finally:
        sys.setprofile(None)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A run that nothing happened to, and the calls that it takes."""
    folder = tmp_path_factory.mktemp("straight")
    assert fit(folder / "run") == 0  # what is imported and cached once is not counted
    calls = Calls()
    assert fit(folder / "again", calls) == 0
    return folder / "again", calls.count


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_run_stopped_anywhere_is_continued_to_the_same_end(
    moment: int, straight: tuple[Path, int], tmp_path: Path
) -> None:
    twin, num_calls = straight
    run = tmp_path / "run"
    code = fit(run, Calls(signal_at=1 + (2 * moment + 1) * num_calls // (2 * MOMENTS)))
    assert (code, read_status(run / "status.json").get("status")) in ENDS
    assert fit(run, None, "--resume", "auto") == 0
    assert read_status(run / "status.json")["status"] == "finished"
    assert_same_weights(run, twin)
    assert steps_of_metrics(run) == steps_of_metrics(twin)
    assert (run / "test.json").is_file()
