"""Data of the published size in place of data that is not on this machine, for explaining a run beforehand."""

from __future__ import annotations

import json
from dataclasses import dataclass

from jsonargparse import Namespace

from resnet_zoo.cli.arguments import Arguments, joined, parse_arguments
from resnet_zoo.cli.names import NAMED_KEYS


@dataclass(frozen=True)
class PublishedSize:
    """How many images and classes a data set is known to have, and the side of its images in pixels."""

    train: int
    val: int
    test: int
    classes: int
    image_size: int


PUBLISHED = {
    # Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images"
    "resnet_zoo.data.CIFAR10": PublishedSize(50_000, 0, 10_000, 10, 32),
    "resnet_zoo.data.CIFAR100": PublishedSize(50_000, 0, 10_000, 100, 32),
    # Russakovsky et al. 2014, arXiv:1409.0575, table 2; the labels of its test images are not public
    "resnet_zoo.data.ImageNet": PublishedSize(1_281_167, 50_000, 0, 1000, 224),
}


def with_stand_in(words: list[str], data: Namespace) -> tuple[Arguments, str] | None:
    """The same command line with synthetic images in the data set's place.

    Args:
        words: the command line.
        data: what the config says of the data: its class and the arguments.

    Returns:
        the arguments, and a sentence that says so; None for a data set whose size nobody knows.
    """
    published = PUBLISHED.get(data.class_path)
    if published is None:
        return None
    given = data.init_args.as_dict()
    val_size = int(given.get("val_size") or 0)
    options = {
        "num_classes": published.classes,
        "num_train": published.train - val_size,
        "num_val": val_size or published.val,
        "num_test": published.test,
        "num_distinct": 1,
        "image_size": given.get("image_size") or published.image_size,
        "global_batch_size": given["global_batch_size"],
        "drop_last": str(given.get("drop_last", False)).lower(),
        "repeated_augmentation": given.get("repeated_augmentation", 1),
        **{key: json.dumps(given.get(key)) for key in ("augment", "progressive_resizing")},
    }
    kept = [word for word in joined(words) if not word.startswith(("--data=", "--data."))]
    replaced = [*kept, "--data=Synthetic", *(f"--data.{key}={value}" for key, value in options.items())]
    name = data.class_path.rpartition(".")[2]
    return (
        parse_arguments(replaced, NAMED_KEYS),
        f"What follows is computed for {name}'s published {published.train:,} training images.",
    )
