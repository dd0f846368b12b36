"""Packed data sets that tests make, and how they are compared with their folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from resnet_zoo.data import ImageFolder
from resnet_zoo.data.packed.form import Encoding
from resnet_zoo.data.packed.pack import pack, plan_packing


def folder(root: Path | str, **arguments: Any) -> ImageFolder:
    return ImageFolder(
        root=str(root), **{"global_batch_size": 4, "num_workers": 0, "image_size": 16, **arguments}
    )


def packed(source: Path, target: Path, **options: Any) -> Path:
    pack(plan_packing(str(source), Encoding(**options)), target, lambda count: None, threads=2)
    return target


def same_batches(first: ImageFolder, second: ImageFolder) -> bool:
    """Whether two data sets give the same batches of training and of evaluation."""
    pairs = [
        (first.train_dataloader(), second.train_dataloader()),
        (first.val_dataloader(), second.val_dataloader()),
    ]
    return all(
        torch.equal(ours.images, theirs.images)
        and torch.equal(ours.labels, theirs.labels)
        and torch.equal(ours.indices, theirs.indices)
        for one, other in pairs
        for ours, theirs in zip(one, other, strict=True)
    )


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
