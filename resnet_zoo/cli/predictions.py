"""predict: one CSV for a whole split, however many ranks worked on it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import torch

from resnet_zoo.cli.training_cli import TrainingCLI
from resnet_zoo.ranks import from_all_ranks
from resnet_zoo.runs import RunDirectory, write_text_atomically

FILE_NAME = "predictions.csv"


def write_predictions(cli: TrainingCLI, checkpoint: Path | None, directory: RunDirectory) -> None:
    """Write ``predictions.csv``: path, label where known, and the likeliest classes with their probabilities.

    Rows stand in the order of the data set, one per image; one that could not be read has no classes and says so.
    """
    trainer = cli.trainer
    batches = (
        trainer.predict(cli.model, datamodule=cli.datamodule, ckpt_path=checkpoint, weights_only=True) or []
    )
    columns = [torch.cat(parts) for parts in zip(*batches, strict=True)] if batches else []
    everything = [part for part in from_all_ranks(columns) if part]
    if not trainer.is_global_zero:
        return
    indices, labels, values, classes, unreadable = (
        torch.cat(parts) for parts in zip(*everything, strict=True)
    )
    order = indices.argsort()
    rows = {int(indices[row]): row for row in order.tolist() if indices[row] >= 0}
    names = cli.datamodule.class_names
    text = io.StringIO()
    table = csv.writer(text)
    ranks = range(1, values.shape[1] + 1)
    likeliest = [f"{what}_{rank}" for rank in ranks for what in ("class", "probability")]
    table.writerow(["path", "label", *likeliest, "remark"])
    for index in sorted([*rows, *unreadable.tolist()]):
        row = rows.get(index)
        label = int(cli.datamodule.source("predict").labels[index] if row is None else labels[row])
        cells = [""] * len(likeliest)
        if row is not None:
            pairs = zip(classes[row].tolist(), values[row].tolist(), strict=True)
            cells = [cell for k, p in pairs for cell in (names[k], f"{p:.6f}")]
        known = names[label] if label >= 0 else ""
        remark = "cannot be read" if row is None else ""
        table.writerow([cli.datamodule.sample_name(index), known, *cells, remark])
    path = directory.path / FILE_NAME
    write_text_atomically(path, text.getvalue())
    left_out = f", {len(unreadable):,} images cannot be read" if len(unreadable) else ""
    print(f"{len(rows):,} predictions written to  {path}{left_out}")
