"""Scores of a run's last epoch, in evaluation mode: the numbers that claims are judged by.

What ``fit`` logs while it trains is measured on augmented images, with the statistics of each batch, before each
update. The claims are about the finished network, so its final weights are scored here over the whole training and test
splits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import torch
import torch.nn.functional
from torch import Tensor, nn

from resnet_zoo.data import ImageBatch, ImageDataModule
from resnet_zoo.data.sources import ResidentImages
from resnet_zoo.experiments.rebuild import best_device, load_data, load_model
from resnet_zoo.metrics import TopKCounts
from resnet_zoo.runs import EvaluationResult, RunDirectory

BATCH_SIZE = 500


def result_name(split: str) -> str:
    """The name of the result file of a split, scored with the weights of the last epoch."""
    return f"last-{split}"


def score_last_epoch(directory: RunDirectory) -> dict[str, EvaluationResult]:
    """Score ``last.ckpt`` on every split of data that are held in memory, and write a result file for each."""
    checkpoint = directory.checkpoints / "last.ckpt"
    data = load_data(directory.config)
    model = load_model(checkpoint).model.to(best_device())
    results = {}
    for split in data.num_samples:
        if not isinstance(data.source(split), ResidentImages):
            continue  # files are cropped at random in training, and 'fit' has scored the others
        results[split] = score(model, data, split, str(checkpoint))
        results[split].write(directory.result(result_name(split)))
    return results


def score(model: nn.Module, data: ImageDataModule, split: str, checkpoint: str) -> EvaluationResult:
    """Exact counts of a model over a split, without augmentation."""
    counts = TopKCounts(data.num_classes)
    model.eval()
    with torch.no_grad():
        for images, labels in batches(data, split, device=best_device()):
            logits = model(images).float()
            losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
            counts.update(logits, labels, losses)
    scores = counts.scores()
    return EvaluationResult(
        split=split,
        **asdict(scores),
        expected=data.num_samples[split],
        checkpoint=checkpoint,
    )


def batches(
    data: ImageDataModule,
    split: str,
    *,
    device: torch.device | str = "cpu",
    batch_size: int = BATCH_SIZE,
    limit: int | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Images float32 (b, 3, h, w), normalised but not augmented, and labels int64 (b,), in the order of the split.

    Args:
        data: the data set.
        split: "train", "val" or "test".
        device: where the batches are wanted.
        batch_size: images in a batch.
        limit: stop after so many images; None goes through all.
    """
    source = data.source(split)
    count = len(source.labels) if limit is None else min(limit, len(source.labels))
    for positions in torch.split(torch.arange(count), batch_size):
        labels = source.labels[positions]
        raw = ImageBatch(source.fetch(positions, None).to(device), labels.to(device), positions, None, 0)
        prepared = data.prepare(raw)
        yield prepared.images, prepared.labels


def random_batch(data: ImageDataModule, split: str, size: int, seed: int) -> tuple[Tensor, Tensor]:
    """One batch of images float32 (size, 3, h, w) and labels, drawn without replacement; not augmented."""
    source = data.source(split)
    generator = torch.Generator().manual_seed(seed)
    positions = torch.randperm(len(source.labels), generator=generator)[:size]
    raw = ImageBatch(source.fetch(positions, None), source.labels[positions], positions, None, 0)
    prepared = data.prepare(raw)
    return prepared.images, prepared.labels
