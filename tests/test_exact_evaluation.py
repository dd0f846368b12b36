"""The same counts on any number of ranks and for any batch size, each image once."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer

from resnet_zoo.cli.main import main
from resnet_zoo.exact_evaluation import broadcast_from_rank_zero
from resnet_zoo.ledger import InexactEvaluation, SampleLedger
from tests.ranks import RankFailed, run_on_ranks

CONFIG = """
trainer: {max_epochs: 2, accelerator: cpu, enable_progress_bar: false}
model: {backbone: {class_path: resnet20_cifar, init_args: {width: 4}}}
data:
  class_path: Synthetic
  init_args: {image_size: 8, num_train: 50, num_val: 103, num_test: 3, num_distinct: 103, global_batch_size: 12}
logger: none
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training on three ranks, whose statistics of batch normalisation differ from rank to rank."""
    folder = tmp_path_factory.mktemp("exact")
    (folder / "config.yaml").write_text(CONFIG)
    words = ["fit", "--config", str(folder / "config.yaml"), "--run_dir", str(folder / "run")]
    assert run_on_ranks(3, main, words) == [0, 0, 0]
    return folder / "run"


def _evaluate(command: str, run: Path, folder: Path, world_size: int, *words: str) -> dict[str, Any]:
    given = [command, "--ckpt_path", str(run / "checkpoints" / "best.ckpt"), "--run_dir", str(folder), *words]
    assert run_on_ranks(world_size, main, given) == [0] * world_size
    name = "validate" if command == "validate" else "test"
    result: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return result


def _logged(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["val/loss"]]


@pytest.mark.parametrize(
    ("world_size", "batch_size"),
    [
        (1, 7),
        (3, 5),
        *(pytest.param(*sizes, marks=pytest.mark.slow) for sizes in ((1, 103), (2, 16), (4, 50))),
    ],
)
def test_counts_are_those_logged_in_training(
    run: Path, tmp_path: Path, world_size: int, batch_size: int
) -> None:
    result = _evaluate("validate", run, tmp_path / "v", world_size, "--data.eval_batch_size", str(batch_size))
    assert (result["evaluated"], result["expected"], result["duplicates"]) == (103, 103, 0)
    assert result["world_size"] == world_size
    logged = max(_logged(run), key=lambda row: float(row["val/top1"]))
    assert result["top1"] == float(logged["val/top1"])
    assert result["top5"] == float(logged["val/top5"])
    assert result["loss"] == pytest.approx(float(logged["val/loss"]), abs=1e-6)


def test_more_ranks_than_images(run: Path, tmp_path: Path) -> None:
    three, four = json.loads((run / "test.json").read_text()), _evaluate("test", run, tmp_path / "four", 4)
    assert (three["world_size"], four["world_size"]) == (3, 4)
    assert three["evaluated"] == four["evaluated"] == 3
    assert three["correct1"] == four["correct1"]
    assert three["loss"] == pytest.approx(four["loss"], abs=1e-6)


def test_one_table_of_predictions(run: Path, tmp_path: Path) -> None:
    tables = []
    for size in (1, 3):
        checkpoint = str(run / "checkpoints" / "last.ckpt")
        words = ["predict", "--ckpt_path", checkpoint, "--run_dir", str(tmp_path / str(size))]
        # Without a test split, the validation's.
        split = ["--data.num_test", "0", "--data.eval_batch_size", "9"]
        assert run_on_ranks(size, main, [*words, *split]) == [0] * size
        with (tmp_path / str(size) / "predictions.csv").open() as file:
            tables.append([[row["path"], row["label"], row["class_1"]] for row in csv.DictReader(file)])
    assert [path for path, *_ in tables[0]] == [f"val/{index}" for index in range(103)]
    assert tables[0] == tables[1]


def _validates_twice_the_same_image() -> None:
    from resnet_zoo.classifier import ImageClassifier
    from resnet_zoo.data import Synthetic
    from resnet_zoo.model import create_backbone

    data = Synthetic(image_size=8, num_train=8, num_val=6, global_batch_size=4)
    loader = data.val_dataloader()
    plan = loader.order.plan(0)
    plan.indices[1] = plan.indices[0]
    model = ImageClassifier(create_backbone("resnet20_cifar", width=4), 10)
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    data.val_dataloader = lambda: loader  # type: ignore[method-assign]
    trainer.validate(model, datamodule=data, verbose=False)


@pytest.mark.filterwarnings("ignore")
def test_an_image_counted_twice_is_an_error() -> None:
    with pytest.raises(InexactEvaluation, match=r"of 6 images 5 were seen, 1 were not \(1\), 1 countings"):
        _validates_twice_the_same_image()


def test_what_is_missing_is_an_error_unless_only_a_part_was_asked_for() -> None:
    ledger = SampleLedger(4)
    ledger.record(torch.tensor([0, 2, 3, -1]))
    ledger.check("val", 3, complete=False)
    with pytest.raises(InexactEvaluation, match="'val' is not exact"):
        ledger.check("val", 3)
    with pytest.raises(InexactEvaluation, match="the scores are of 2"):
        ledger.check("val", 2, complete=False)


def _own_then_shared_mean() -> list[float]:
    import torch.distributed as dist

    dist.init_process_group("gloo")
    layer = torch.nn.BatchNorm2d(1)
    assert layer.running_mean is not None
    layer.running_mean.fill_(dist.get_rank() + 1.0)
    before = float(layer.running_mean)
    broadcast_from_rank_zero(layer.buffers())
    return [before, float(layer.running_mean)]


def test_all_ranks_take_rank_0_s_buffers() -> None:
    assert run_on_ranks(3, _own_then_shared_mean) == [[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]]


def _fails_on_rank_1() -> None:
    import os

    assert os.environ["RANK"] == "0", "this is rank 1"


def test_a_rank_that_fails_is_told() -> None:
    with pytest.raises(RankFailed, match="this is rank 1"):
        run_on_ranks(2, _fails_on_rank_1)
