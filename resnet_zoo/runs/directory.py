"""The run directory: one folder that owns everything of one run, and how it gets its number."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from resnet_zoo.errors import InvalidValue

NUMBERS_FILE = ".numbers"
"""Every number ever given out beside it, one a line: a deleted run's number is not given out again."""

LAST, PREVIOUS, BEST = "last.ckpt", "previous.ckpt", "best.ckpt"
"""Checkpoints: the newest state of a run, the newest but one, and the one that validated best."""

RESULT_NAMES = {"val": "validate.json", "test": "test.json"}
"""A split's result file is named after the command that writes it; any other split after itself."""


@dataclass(frozen=True)
class RunDirectory:
    """The layout of a run directory. Naming a file does not create it.

    Args:
        path: the folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The resolved configuration, all defaults included."""
        return self.path / "config.yaml"

    @property
    def record(self) -> Path:
        """What made the run: versions, git state, host, data; see ``collect_record``."""
        return self.path / "record.json"

    @property
    def metrics(self) -> Path:
        """One row per logged moment."""
        return self.path / "metrics.csv"

    @property
    def checkpoints(self) -> Path:
        """The folder of ``last.ckpt`` and ``best.ckpt``."""
        return self.path / "checkpoints"

    @property
    def status(self) -> Path:
        """How the run ended, for a scheduler that sees no exit code."""
        return self.path / "status.json"

    @property
    def wandb_id(self) -> Path:
        """The id of the run at Weights & Biases, chosen at the first start and kept."""
        return self.path / "wandb_id"

    @property
    def wandb_step(self) -> Path:
        """The last step that Weights & Biases has a row of; updates made again after a resume are not sent again."""
        return self.path / "wandb_step"

    def result(self, split: str, besides: str | None = None) -> Path:
        """The result file of a split: ``validate.json`` for "val", ``test.json`` for "test".

        Args:
            split: its name.
            besides: "ema" or "raw" for the file of the weights that the run is not judged by, ``test_ema.json``.
        """
        file = self.path / RESULT_NAMES.get(split, f"{split}.json")
        return file if besides is None else file.with_stem(f"{file.stem}_{besides}")

    @classmethod
    def create(cls, base: Path, config_name: str) -> RunDirectory:
        """Make the folder ``base/config_name/<next number>`` for a new run.

        Safe against other processes that do the same at the same moment: making a folder succeeds for only one of
        them. Numbers start at 1 and are never given out twice, even when runs are deleted.

        Args:
            base: the folder of all runs, usually ``runs``; made if it is missing.
            config_name: a plain name without separators.

        Raises:
            InvalidValue: the name is not a plain name, or the folder cannot be made.
        """
        if config_name in ("", ".", "..") or Path(config_name).name != config_name:
            raise InvalidValue(
                f"{config_name!r} does not serve as a folder name for runs. Use a plain name such as 'r20_cifar10'."
            )
        folder = base / config_name
        numbers = folder / NUMBERS_FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            number = _last_number(folder) + 1
            while not _made(folder / str(number)):
                number += 1
            # One short line in append mode: concurrent processes cannot overwrite each other's.
            with numbers.open("a", encoding="utf-8") as lines:
                lines.write(f"{number}\n")
        except OSError as error:
            raise _cannot_make(folder, error) from error
        return cls(folder / str(number))

    @classmethod
    def at(cls, path: Path, resume: bool = False) -> RunDirectory:
        """Use the folder that the user chose.

        Args:
            path: the folder; made, with its parents, if it is missing.
            resume: whether the run that is there is to be continued or evaluated. If not, a folder that already
                holds a run is refused: a second run never touches the first one's files.

        Raises:
            InvalidValue: the folder holds a run and ``resume`` is false, or it cannot be made or written to.
        """
        directory = cls(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            # Permissions alone do not tell: the file system may be mounted read-only, or be full.
            with tempfile.TemporaryFile(dir=path):
                pass
        except OSError as error:
            raise _cannot_make(path, error) from error
        traces = directory.traces_of_a_run()
        if traces and not resume:
            raise InvalidValue(
                f"run directory '{path}' already holds a run (found: {', '.join(traces)}). "
                "Choose another --run_dir, or continue that run with --resume auto."
            )
        return directory

    def traces_of_a_run(self) -> list[str]:
        """Names of what a run has left here, empty for a fresh folder."""
        files = [path.name for path in (self.config, self.record, self.metrics) if path.exists()]
        has_checkpoint = self.checkpoints.is_dir() and any(self.checkpoints.glob("*.ckpt"))
        return [*files, "checkpoints/"] if has_checkpoint else files


def _last_number(folder: Path) -> int:
    """The largest number that was ever given out here; 0 for none."""
    numbers = [int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal()]
    file = folder / NUMBERS_FILE
    if file.exists():
        numbers += [int(line) for line in file.read_text(encoding="utf-8").split() if line.isdecimal()]
    return max(numbers, default=0)


def _made(path: Path) -> bool:
    """Make a folder; False if it was there already."""
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True


def _cannot_make(path: Path, error: OSError) -> InvalidValue:
    reason = error.strerror or type(error).__name__
    return InvalidValue(
        f"run directory '{path}' cannot be made or written to: {reason}. Choose a writable place with --run_dir."
    )
