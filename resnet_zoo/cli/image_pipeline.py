"""What happens to images on their way to the net, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from jsonargparse import Namespace

from resnet_zoo.data.pipelines import evaluation_transform, training_transform

_OF_FILES = ("resnet_zoo.data.ImageNet", "resnet_zoo.data.ImageFolder")


def image_lines(described: Namespace, data: Any) -> Iterator[str]:
    """Counts, augmentation, sizes and evaluation of a data set.

    Args:
        described: what the config says of the data: its class and the arguments.
        data: the data set, or what stands in for it where its files are not here.
    """
    given = described.init_args.as_dict() if "init_args" in described else {}
    yield "# data"
    yield f"{described.class_path.rpartition('.')[2]}: {data.num_classes} classes, " + ", ".join(
        f"{count:,} {split}" for split, count in data.num_samples.items()
    )
    yield "# augmentation of training images"
    crops_files = described.class_path in _OF_FILES and given.get("pipeline") != "cifar"
    if crops_files:
        crop = training_transform(
            data.image_size,
            given["augmentation"] or "random_resized_crop",
            given["jitter_range"],
            given["interpolation"],
        )
        yield f"in the loader: {crop.at_size(data.train_size(0))!r}"
        data.augment.check(data.train_size(0))
    pad = 0 if crops_files else data.augmentation.pad
    on_device = replace(data.augmentation, pad=pad, color_noise=given.get("color_noise") or 0.0)
    yield from data.augment.lines(on_device)
    if data.repeated_augmentation > 1:
        times = data.repeated_augmentation
        yield f"every image {times} times per pass over the data, which takes {times} epochs"
    if data.progressive_resizing is not None:
        yield data.progressive_resizing.in_words(data.image_size)
    if crops_files:
        center = evaluation_transform(data.image_size, given["eval_resize"], given["interpolation"])
        yield f"evaluation: {center!r}"
