"""``metrics.csv``: every logged number of a run in one plain table, whatever other services do or fail to do."""

from __future__ import annotations

import csv
import errno
import io
import os
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from resnet_zoo.loggers.rank import is_rank_zero
from resnet_zoo.runs import RunDirectory, write_text_atomically

FIRST_COLUMNS = ("step", "epoch")


class MetricsCSV(Logger):
    """Writes a row per logged moment: ``step``, ``epoch``, then one column a metric in order of appearance.

    Each row goes to the file at once, so that a killed process loses at most the row it was writing. A metric that
    was not seen before adds a column, for which the whole file is replaced atomically. With a file already there, as
    on resume, rows are added below its own, once ``keep_first_rows`` has dropped those of updates that are made again.
    Only rank 0 writes.

    Args:
        run_directory: the run that owns the file. Nothing is created before the first row.
    """

    def __init__(self, run_directory: RunDirectory) -> None:
        super().__init__()
        self.run_directory = run_directory
        self._columns: list[str] = []
        self._num_rows = 0
        self._looked_at_file = False
        self._unwritten: list[dict[str, Any]] = []
        self._said_it_fails = False

    @property
    def name(self) -> str:
        """The logger's name."""
        return "csv"

    @property
    def version(self) -> str:
        """The run directory's own name."""
        return self.run_directory.path.name

    @property
    def save_dir(self) -> str:
        """The run directory, where Lightning puts what it writes on its own."""
        return str(self.run_directory.path)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing to do: ``config.yaml`` beside the table holds them."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Write one row.

        Args:
            metrics: name -> number or scalar tensor.
            step: optimizer updates made so far.
        """
        self._unwritten.append({"step": step, **{name: _number(value) for name, value in metrics.items()}})
        try:
            self._write_all()
        except OSError as error:
            self._keep(error)

    def close(self, exit_code: int = 0) -> None:
        """Try once more to write what could not be written, and say what is lost."""
        try:
            self._write_all()
        except OSError as error:
            _say(f"{len(self._unwritten)} rows of '{self.run_directory.metrics}' are lost: {error.strerror}.")

    def _write_all(self) -> None:
        if self._unwritten:
            self._look_at_file()
        while self._unwritten:
            self._write(self._unwritten[0])
            del self._unwritten[0]

    def _write(self, row: Mapping[str, Any]) -> None:
        """Append a row, or raise and leave the file as it was."""
        new_columns = [name for name in dict.fromkeys((*FIRST_COLUMNS, *row)) if name not in self._columns]
        if new_columns:
            rows, columns = self._read(), [*self._columns, *new_columns]
            self._rewrite(rows, columns)
            self._columns = columns
        # Opened for each row: what is closed is out of the process's hands, whatever happens to it.
        line = _line([row.get(name) for name in self._columns]).encode()
        with open_to_append(self.run_directory.metrics) as file:
            end = file.tell()
            try:
                written = file.write(line)
                if written != len(line):  # the disk took a part of it
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                file.truncate(end)
                raise
        self._num_rows += 1

    def _keep(self, error: OSError) -> None:
        if not self._said_it_fails:
            self._said_it_fails = True
            _say(
                f"'{self.run_directory.metrics}' cannot be written ({error.strerror}); the training goes on, and its "
                "rows are kept in memory until they can be."
            )

    @property
    def num_rows(self) -> int:
        """How many rows the file has, or will have; 0 on other ranks than rank 0, which never look at it."""
        if not is_rank_zero():
            return 0
        self._look_at_file()
        return self._num_rows + len(self._unwritten)

    def last(self, name: str) -> float | None:
        """The last value of a metric in the file; None if there is none."""
        values = [row[name] for row in self._read() if row.get(name)]
        return float(values[-1]) if values else None

    @rank_zero_only
    def keep_first_rows(self, count: int) -> int:
        """Drop the rows after the first ``count``, whose updates a resumed run is about to make again.

        The file as it was stays beside the new one, as ``metrics-1.csv`` and so on.

        Returns:
            How many rows were dropped.
        """
        self._look_at_file()
        dropped = self._num_rows - count
        if dropped <= 0:
            return 0
        rows, path = self._read(), self.run_directory.metrics
        number = 1 + len(list(path.parent.glob(f"{path.stem}-*{path.suffix}")))
        write_text_atomically(
            path.with_name(f"{path.stem}-{number}{path.suffix}"), path.read_text(encoding="utf-8")
        )
        self._rewrite(rows[:count], self._columns)
        self._num_rows = count
        return dropped

    def _look_at_file(self) -> None:
        """At first use: take over the columns that an earlier process left, and drop a row that it left unfinished."""
        path = self.run_directory.metrics
        if self._looked_at_file or not path.exists():
            return
        text = path.read_bytes()
        whole_rows = text[: text.rfind(b"\n") + 1]
        if whole_rows != text:
            # The next row must not continue it.
            write_text_atomically(path, whole_rows.decode())
        self._looked_at_file = True
        lines = list(csv.reader(io.StringIO(whole_rows.decode())))
        self._columns = lines[0] if lines else []
        self._num_rows = max(0, len(lines) - 1)

    def _read(self) -> list[dict[str, str]]:
        if not self.run_directory.metrics.exists():
            return []
        with self.run_directory.metrics.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def _rewrite(self, rows: Sequence[Mapping[str, str]], columns: list[str]) -> None:
        """Replace the file by the header and these rows."""
        lines: list[list[Any]] = [columns, *([row.get(name) for name in columns] for row in rows)]
        write_text_atomically(self.run_directory.metrics, "".join(_line(line) for line in lines))


def open_to_append(path: Path) -> io.FileIO:
    """The file without a buffer, so that what was written is known."""
    return path.open("ab", buffering=0)


def _number(value: Any) -> float | int:
    """A plain number that prints with all its digits."""
    number: float | int = value.item() if hasattr(value, "item") else value
    return number


def _line(values: Sequence[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(values)
    return buffer.getvalue()


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
