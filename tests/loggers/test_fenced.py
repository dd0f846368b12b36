"""A logger that fails is said once and never reaches the training."""

from __future__ import annotations

from typing import Any

import pytest
from lightning.pytorch.loggers import Logger

from resnet_zoo.loggers import FencedLogger


class Failing(Logger):
    """Fails from its second row on."""

    rows = 0
    name = "failing"
    version = 1

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        raise AssertionError("not asked for any more")

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.rows += 1
        if self.rows > 1:
            raise ConnectionError("no route to https://user:hunter2@host/")


def test_the_first_failure_is_said_and_the_logger_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    inner = Failing()
    logger = FencedLogger(inner)
    for step in range(5):
        logger.log_metrics({"loss": 1.0}, step)
    logger.log_hyperparams({"lr": 1})
    logger.save()
    logger.finalize("success")
    assert inner.rows == 2
    error = capsys.readouterr().err
    assert error.count("Failing failed and is left alone from here on (ConnectionError: no route") == 1
    assert "metrics.csv has every row" in error
    assert "hunter2" not in error
    assert (logger.name, logger.version, logger.experiment) == ("failing", 1, None)
