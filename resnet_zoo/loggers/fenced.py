"""A fence around loggers that are not ours: what fails there is said once and never reaches the training."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger

from resnet_zoo.runs import redact_text


class FencedLogger(Logger):
    """Passes everything on to another logger until that one fails; from then on it is left alone.

    Args:
        inner: any logger of Lightning's.
    """

    def __init__(self, inner: Logger) -> None:
        super().__init__()
        self.inner = inner
        self.has_failed = False

    @property
    def name(self) -> str | None:
        """The inner logger's name."""
        return self.inner.name

    @property
    def version(self) -> int | str | None:
        """The inner logger's version."""
        return self.inner.version

    @property
    def save_dir(self) -> str | None:
        """The inner logger's folder."""
        return self.inner.save_dir

    @property
    def experiment(self) -> Any:
        """What the inner logger offers to those who know it."""
        return getattr(self.inner, "experiment", None)

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Pass a row on."""
        self._try(lambda: self.inner.log_metrics(dict(metrics), step))

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Pass hyperparameters on."""
        self._try(lambda: self.inner.log_hyperparams(params, *args, **kwargs))

    def log_graph(self, model: Any, input_array: Any = None) -> None:
        """Pass a model on."""
        self._try(lambda: self.inner.log_graph(model, input_array))

    def save(self) -> None:
        """Let the inner logger write what it holds."""
        self._try(self.inner.save)

    def finalize(self, status: str) -> None:
        """Let the inner logger close its files."""
        self._try(lambda: self.inner.finalize(status))

    def _try(self, action: Callable[[], Any]) -> None:
        if self.has_failed:
            return
        try:
            action()
        except Exception as error:  # any library may stand behind a logger
            self.has_failed = True
            place = f" in '{Path(self.save_dir)}'" if self.save_dir else ""
            print(
                redact_text(
                    f"{type(self.inner).__name__}{place} failed and is left alone from here on "
                    f"({type(error).__name__}: {error}); the training goes on, and metrics.csv has every row."
                ),
                file=sys.stderr,
                flush=True,
            )
