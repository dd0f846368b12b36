"""What a training says about its data workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from resnet_zoo.cli.data_workers import TellDataWorkers
from resnet_zoo.data import ImageFolder
from resnet_zoo.loggers import MetricsCSV
from resnet_zoo.runs import RunDirectory
from tests.data.conftest import make_folder  # noqa: F401 - a fixture


@pytest.mark.parametrize(("rank", "num_workers"), [(0, None), (0, 1), (1, None)])
def test_one_line_from_one_rank_unless_the_number_was_given(
    rank: int,
    num_workers: int | None,
    make_folder: Callable[..., Path],  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = ImageFolder(root=str(make_folder()), global_batch_size=4, image_size=16, num_workers=num_workers)
    (tmp_path / "run").mkdir()
    table = MetricsCSV(RunDirectory(tmp_path / "run"))
    for step, speed in ((1, 100.0), (2, 250.0)):
        table.log_metrics({"epoch": 0, "speed/images_per_second": speed}, step=step)
    table.log_metrics({"epoch": 0, "val/top1": 0.5}, step=2)
    table.close()
    trainer: Any = SimpleNamespace(is_global_zero=rank == 0, datamodule=data, loggers=[table])
    model: Any = None
    TellDataWorkers().on_fit_start(trainer, model)
    lines = capsys.readouterr().err.splitlines()
    if rank or num_workers:
        assert lines == []
    else:
        assert len(lines) == 1
        assert lines[0].startswith("data workers: ")
        assert "; the training took 250 when last measured" in lines[0]
