"""What each augmentation costs per image on a CPU: ``python benchmarks/augmentation.py``, about two minutes.

One thread, CPU time, rounds that take turns, medians. Writes benchmarks/results/augmentation.json, which the table in
docs/augmentation.md is made from.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from resnet_zoo.cli.timing.job import machine
from resnet_zoo.data import random
from resnet_zoo.data.augment import BatchAugmentation
from resnet_zoo.data.augmentations import (
    Augmentation,
    AugmentationPlan,
    ColorJitter,
    CutMix,
    Cutout,
    ImageAugmentation,
    MixUp,
    RandAugment,
    RandomErasing,
    TrivialAugmentWide,
)
from resnet_zoo.data.augmented import AugmentedImages
from resnet_zoo.data.batch import ImageBatch
from resnet_zoo.data.sources import ResidentImages
from resnet_zoo.data.transforms import RandomResizedCrop, ScaleJitter

ROUNDS, BATCH = 9, {224: 32, 32: 128}
RESULT = Path(__file__).parent / "results" / "augmentation.json"
RSB = RandAugment(
    magnitude=7,
    policy="increasing",
    magnitude_std=0.5,
    probability=0.5,
    interpolation="random",
    fill=(124, 116, 104),
)
LISTED: dict[str, Augmentation] = {
    "ColorJitter": ColorJitter(),
    "ColorJitter with hue=0.1": ColorJitter(hue=0.1),
    "RandAugment": RandAugment(),
    "RandAugment as in RSB A1": RSB,
    "TrivialAugmentWide": TrivialAugmentWide(),
    "RandomErasing": RandomErasing(),
    "RandomErasing with fill=noise": RandomErasing(fill="noise"),
    "Cutout": Cutout(),
    "MixUp": MixUp(),
    "CutMix": CutMix(),
}


class Nothing(ImageAugmentation):
    """What the way to Pillow and back costs alone."""

    paper = ""

    def __call__(self, image: Image.Image, generator: random.SampleGenerator) -> Image.Image:
        """The image itself."""
        return image


def photographs(count: int, height: int, width: int) -> Tensor:
    """Smooth images with some noise, uint8 (count, height, width, 3)."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 7, 7, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic") * 220
    noisy = smooth + 20 * torch.rand(count, 3, height, width, generator=generator)
    return noisy.clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def cases(size: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """Names, and what to call for a batch of images of this size."""
    count = BATCH[size]
    images, places = photographs(count, size, size), torch.arange(count)
    seeds = random.combine(1, places)
    pixels = images.permute(0, 3, 1, 2)
    whole = BatchAugmentation(4, True, 0.1)
    if size == 224:
        (photograph,) = photographs(1, 375, 500).permute(0, 3, 1, 2)
        for crop in (RandomResizedCrop(224), ScaleJitter(224)):
            yield (
                f"{type(crop).__name__} of 500x375",
                lambda crop=crop: [crop(photograph, seed) for seed in range(count)],
            )
    yield "pad, crop and flip", lambda: whole.crop_and_flip(pixels, seeds)
    yield "flip", lambda: BatchAugmentation(flip=True).crop_and_flip(pixels, seeds)
    yield "color noise", lambda: whole.color_offsets(seeds)
    source = ResidentImages(images, places)
    for name, augmentation in {"to Pillow and back": Nothing(), **LISTED}.items():
        plan = AugmentationPlan([augmentation])
        if isinstance(augmentation, ImageAugmentation):
            yield name, lambda plan=plan: AugmentedImages(source, plan).fetch(places, seeds)
        else:
            normal = torch.randn(count, size, size, 3).permute(0, 3, 1, 2)
            batch = ImageBatch(normal, places, places, seeds, count)
            yield name, lambda plan=plan, batch=batch: plan.on_device(batch)


def microseconds() -> dict[str, dict[str, float]]:
    """Per image: medians by case and size."""
    called = {(name, size): call for size in BATCH for name, call in cases(size)}
    times: dict[tuple[str, int], list[float]] = {key: [] for key in called}
    for call in called.values():
        call()
    for _ in range(ROUNDS):
        for key, call in called.items():
            start = time.process_time()
            call()
            times[key].append((time.process_time() - start) / BATCH[key[1]] * 1e6)
    found: dict[str, dict[str, float]] = {}
    for (name, size), values in times.items():
        found.setdefault(name, {})[str(size)] = round(statistics.median(values), 1)
    return found


def main() -> None:
    """Measure and write."""
    torch.set_num_threads(1)
    around = machine(torch.device("cpu"))
    result = {
        "machine": around["device"],
        "versions": {
            "torch": around["torch"],
            "torchvision": around["torchvision"],
            "Pillow": Image.__version__,
        },
        "date": around["date"],
        "rounds": ROUNDS,
        "batch": {str(size): count for size, count in BATCH.items()},
        "microseconds": microseconds(),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["microseconds"], indent=1))


if __name__ == "__main__":
    main()
