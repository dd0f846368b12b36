"""Result files: what an evaluation found, with the counts that prove it."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resnet_zoo.runs.atomic import write_text_atomically

PERCENT_TOLERANCE = 0.0051
"""A percentage that was rounded to two digits still agrees with its counts."""


class InconsistentResult(RuntimeError):
    """An evaluation whose own numbers contradict each other: it must not be published."""


@dataclass(frozen=True)
class EvaluationResult:
    """One evaluation of one split; its fields are the keys of the JSON file.

    Args:
        split: "val" or "test".
        top1: percent of the evaluated images whose label has the largest logit.
        top5: percent whose label is among the five largest; None, and left out of the file, with fewer than five
            classes.
        loss: mean per evaluated image; NaN is written as null.
        correct1: the count behind ``top1``.
        correct5: the count behind ``top5``, None with it.
        evaluated: images counted.
        expected: images in the split.
        duplicates: images counted more than once.
        unreadable: paths of the images that could not be read, none of which were evaluated.
        world_size: number of processes that evaluated.
        checkpoint: the file the weights came from.
        weights: which weights of it: "raw", or the name of an average.
        protocol: how it was tested: "center" is one view of every image, the data set's own.
        views: the views whose class probabilities were averaged, in words.
        checkpoints: the files whose class probabilities were averaged; ``checkpoint`` is empty if there are several.

    Raises:
        InconsistentResult: the counts do not add up, or a percentage is not the one that its count says.
    """

    split: str
    top1: float
    top5: float | None
    loss: float
    correct1: int
    correct5: int | None
    evaluated: int
    expected: int
    duplicates: int = 0
    unreadable: list[str] = field(default_factory=list)
    world_size: int = 1
    checkpoint: str = ""
    weights: str = "raw"
    protocol: str = "center"
    views: list[str] = field(default_factory=lambda: ["center"])
    checkpoints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.checkpoint and not self.checkpoints:
            object.__setattr__(self, "checkpoints", [self.checkpoint])
        self._check_counts()
        self._check_percentage("top1", self.top1, self.correct1)
        if (self.top5 is None) != (self.correct5 is None):
            raise InconsistentResult(
                f"{self.split}: of top5={self.top5} and correct5={self.correct5} only one is given."
            )
        if self.top5 is not None and self.correct5 is not None:
            self._check_percentage("top5", self.top5, self.correct5)
            if self.correct5 < self.correct1:
                raise InconsistentResult(
                    f"{self.split}: correct5={self.correct5} is less than correct1={self.correct1}."
                )

    def _check_counts(self) -> None:
        if self.duplicates:
            raise InconsistentResult(
                f"{self.split}: {self.duplicates} images were counted more than once. Each must count exactly once."
            )
        if self.evaluated + len(self.unreadable) != self.expected:
            raise InconsistentResult(
                f"{self.split}: {self.evaluated} images evaluated and {len(self.unreadable)} unreadable "
                f"do not make the {self.expected} images of the split."
            )
        if self.evaluated < 1:
            raise InconsistentResult(f"{self.split}: no image was evaluated.")

    def _check_percentage(self, name: str, percent: float, correct: int) -> None:
        if not 0 <= correct <= self.evaluated:
            raise InconsistentResult(
                f"{self.split}: {correct} correct of {self.evaluated} evaluated is impossible."
            )
        exact = 100.0 * correct / self.evaluated
        if not abs(percent - exact) < PERCENT_TOLERANCE:
            raise InconsistentResult(
                f"{self.split}: {name}={percent:g} is not {correct} of {self.evaluated}, which is {exact:.4f}."
            )

    def to_dict(self) -> dict[str, Any]:
        """The keys and values of the file, ``top5`` and ``correct5`` left out where there is no top-5."""
        values = dataclasses.asdict(self)
        if not math.isfinite(self.loss):
            values["loss"] = None
        return {key: value for key, value in values.items() if value is not None or key == "loss"}

    def write(self, path: Path) -> None:
        """Write the file in one go; a reader sees the old one or the new one."""
        write_text_atomically(path, json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> EvaluationResult:
        """Read and check a result file.

        Raises:
            FileNotFoundError: there is none.
            InconsistentResult: it is not a result file, or its numbers contradict each other.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values.get("loss", 0.0) is None:
                values["loss"] = math.nan
            return cls(**{"top5": None, "correct5": None, **values})
        except (ValueError, TypeError, AttributeError) as error:
            raise InconsistentResult(f"'{path}' is not a result file: {error}.") from error
