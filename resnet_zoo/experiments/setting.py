"""What a user asked for: preset, number of seeds, folders of data and runs. Standard library only."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Preset = Literal["quick", "paper"]
PRESETS: tuple[Preset, ...] = ("quick", "paper")

QUICK_SEEDS = 3

OTHER_SEEDS = "Other seeds, which played no part in that, judge it independently: --first-seed 6."
"""Said wherever settings of the preset quick were chosen with results in view."""


@dataclass(frozen=True)
class Setting:
    """A user's choices.

    Args:
        preset: "quick" for seconds to minutes on the embedded digits, "paper" for the paper's own protocol.
        out: folder of runs and report.
        num_seeds: how many seeds of everything; None for three in the preset quick and as many as the paper has in
            the preset paper.
        data_root: folder of the data of the preset paper; None for the usual one.
        options: further words for ``fit`` in the preset paper, such as a precision.
        first_seed: where the seeds begin. The settings of the preset quick were chosen with seeds 0 to 5 in view;
            others judge a claim independently.
    """

    preset: Preset
    out: Path
    num_seeds: int | None = None
    data_root: Path | None = None
    options: tuple[str, ...] = ()
    first_seed: int = 0

    @property
    def quick(self) -> bool:
        """Whether this is the preset quick."""
        return self.preset == "quick"

    def seeds(self, in_paper: int = 1) -> range:
        """The seeds of a run.

        Args:
            in_paper: how many runs the paper has of it.
        """
        usual = QUICK_SEEDS if self.quick else in_paper
        count = usual if self.num_seeds is None else self.num_seeds
        return range(self.first_seed, self.first_seed + count)

    def command(self, experiment: str) -> str:
        """What to type to repeat an experiment."""
        words = ["resnet-zoo", "reproduce", experiment, "--preset", self.preset]
        if self.num_seeds is not None:
            words += ["--seeds", str(self.num_seeds)]
        if self.first_seed:
            words += ["--first-seed", str(self.first_seed)]
        if self.data_root is not None:
            words += ["--data-root", str(self.data_root)]
        if self.options:
            words += ["--", *self.options]
        return shlex.join(words)
