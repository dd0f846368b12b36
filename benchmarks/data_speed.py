"""Images per second and core of every kind of file, ours beside torchvision's reference and timm, on the same files.

    python benchmarks/data_speed.py --photographs DIR [--rounds 5] [--only CASE,...] [--scratch DIR] [--write]

DIR holds JPEG files of full size. They are packed as ``resnet-zoo data pack`` does it, with a shorter side of 256, 320
and 400 pixels and once as pixels; of two of these, crops of several sizes are taken too (--only crops). Small images
are CIFAR's size, made up. What is packed into --scratch is there the next time; by default it is thrown away. With
--write the record joins benchmarks/results/data_speed.json, from which docs/data_speed.md and docs/recipes.md take
their tables.

A ratio against the originals is not one on the same files: for pixels there is no other, since others do not read them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from resnet_zoo.cli.benchmark_data import as_text, record_of
from resnet_zoo.data import ImageFolder
from resnet_zoo.data.benchmark.contenders import Job, Ours
from resnet_zoo.data.benchmark.peers import PEERS
from resnet_zoo.data.benchmark.rounds import measure
from resnet_zoo.data.packed.form import Encoding
from resnet_zoo.data.packed.pack import pack, plan_packing

RESULTS = Path(__file__).parent / "results" / "data_speed.json"
BATCH = 64
SIDES = (256, 320, 400)
PIXELS = f"pixels at {SIDES[0]}"
SMALL, SMALL_IMAGES = 32, 8192
CROPS = (128, 160, 192, 224)
"""Sizes of training images, in pixels, as progressive resizing has them."""


def originals(photographs: Path, scratch: Path, evaluation: bool) -> Path:
    """A data set with one class, of the photographs; all of them for evaluation too, or only one."""
    root = scratch / ("originals" if evaluation else "to be packed")
    files = sorted(photographs.glob("*.[jJ][pP]*[gG]"))
    for split, chosen in (("train", files), ("val", files if evaluation else files[:1])):
        (root / split / "photograph").mkdir(parents=True, exist_ok=True)
        for file in chosen:
            shutil.copy2(file, root / split / "photograph" / file.name)
    return root


def packed(photographs: Path, scratch: Path, side: int, raw: bool = False) -> Path:
    """The photographs as ``resnet-zoo data pack --short-side SIDE [--raw]`` packs them."""
    target = scratch / f"{side}{' raw' if raw else ''}"
    source = originals(photographs, scratch, evaluation=False)
    pack(plan_packing(str(source), Encoding(side, raw=raw)), target, lambda count: None)
    return target


def small_images(scratch: Path) -> ImageFolder:
    """Random images of CIFAR's size, held in memory."""
    generator = np.random.default_rng(0)
    for split, count in (("train", SMALL_IMAGES), ("val", 16)):
        (scratch / "small" / split / "noise").mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = generator.integers(0, 256, (SMALL, SMALL, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(scratch / "small" / split / "noise" / f"{number}.bmp")
    return ImageFolder(root=str(scratch / "small"), global_batch_size=128, pipeline="cifar")


def folder_at(root: Path, image_size: int = 224) -> ImageFolder:
    """The data set in a folder or a packed form of it."""
    return ImageFolder(root=str(root), global_batch_size=BATCH, image_size=image_size)


def cases(photographs: Path, scratch: Path, only: set[str]) -> Iterable[tuple[str, Job, list[str]]]:
    """Name, what to do, and whom to compare with."""

    def wanted(name: str) -> bool:
        return not only or name in only

    names = ("originals", "originals, evaluation")
    if any(map(wanted, names)):
        data = folder_at(originals(photographs, scratch, evaluation=True))
        for name, split in zip(names, ("train", "val"), strict=True):
            if wanted(name):
                yield name, Job.of(data, split, 320, 1), ["torchvision", "timm"]
    for side in SIDES:
        if wanted(f"short side {side}"):
            data = folder_at(packed(photographs, scratch, side))
            yield f"short side {side}", Job.of(data, "train", 320, 1), list(PEERS)
        if side == SIDES[0] and wanted(PIXELS):
            data = folder_at(packed(photographs, scratch, side, raw=True))
            yield PIXELS, Job.of(data, "train", 1280, 1), []
    for side, raw in ((SIDES[-1], False), (SIDES[0], True)):
        for size in CROPS:
            name = f"crops of {size}, {PIXELS if raw else f'short side {side}'}"
            if wanted(name) or "crops" in only:
                data = folder_at(packed(photographs, scratch, side, raw), size)
                yield name, Job.of(data, "train", 1280 if raw else 320, 1), []
    if wanted("small images"):
        data = small_images(scratch)
        yield "small images", Job.of(data, "train", SMALL_IMAGES, 0), ["torchvision"]


def main() -> None:
    """Measure all cases, or some."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.scratch is not None:
        options.scratch.mkdir(parents=True, exist_ok=True)
    only = {name for name in options.only.split(",") if name}
    records: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name, job, peers in cases(options.photographs, options.scratch or Path(temporary), only):
            contenders = [Ours(job, normalise=name == "small images"), *(PEERS[peer](job) for peer in peers)]
            records[name] = record_of(job, measure(contenders, options.rounds), options.rounds)
            records[name]["data"]["root"] = name
            print(as_text(records[name]), end="\n\n", flush=True)
    if options.write:
        before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(before | records, indent=1) + "\n")


if __name__ == "__main__":
    main()
