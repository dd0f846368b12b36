"""Images per second and core of every kind of file, ours beside torchvision's reference and timm, on the same files.

    python benchmarks/data_speed.py --photographs DIR [--rounds 5] [--only CASE,...] [--write]

DIR holds JPEG files of full size. Copies with a shorter side of 256, 320 and 400 pixels are made of them (Pillow's
antialiased resize, quality 90), and one with pixels instead of files; small images are CIFAR's size, made up. With
--write the record joins benchmarks/results/data_speed.json, from which docs/data_speed.md takes its table.

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
from numpy.typing import NDArray
from PIL import Image

from resnet_zoo.cli.benchmark_data import as_text, record_of
from resnet_zoo.data import ImageFolder
from resnet_zoo.data.benchmark.contenders import Job, Ours
from resnet_zoo.data.benchmark.peers import PEERS
from resnet_zoo.data.benchmark.rounds import measure
from resnet_zoo.data.sources import FileImages

RESULTS = Path(__file__).parent / "results" / "data_speed.json"
BATCH = 64
SIDES = (256, 320, 400)
SMALL, SMALL_IMAGES = 32, 8192


class Pixels:
    """A store that hands out pixels, as a memory map would."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._images = [np.array(Image.open(file).convert("RGB")) for file in files]

    def read(self, position: int) -> NDArray[np.uint8]:
        """One image's."""
        return self._images[position]


def folders(photographs: Path, scratch: Path, side: int | None) -> Path:
    """A data set with one class, of the photographs or of copies with this shorter side."""
    root = scratch / (f"short side {side}" if side else "originals")
    for split in ("train", "val"):
        (root / split / "photograph").mkdir(parents=True)
    for file in sorted(photographs.glob("*.[jJ][pP]*[gG]")):
        target = root / "train" / "photograph" / file.name
        if side is None:
            shutil.copyfile(file, target)
        else:
            image = Image.open(file).convert("RGB")
            factor = min(1.0, side / min(image.size))
            size = round(image.width * factor), round(image.height * factor)
            image.resize(size, Image.Resampling.BILINEAR).save(target, quality=90)
        shutil.copyfile(target, root / "val" / "photograph" / file.name)
    return root


def small_images(scratch: Path) -> ImageFolder:
    """Random images of CIFAR's size, held in memory."""
    generator = np.random.default_rng(0)
    for split, count in (("train", SMALL_IMAGES), ("val", 16)):
        (scratch / "small" / split / "noise").mkdir(parents=True)
        for number in range(count):
            pixels = generator.integers(0, 256, (SMALL, SMALL, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(scratch / "small" / split / "noise" / f"{number}.bmp")
    return ImageFolder(root=str(scratch / "small"), global_batch_size=128, pipeline="cifar")


def cases(photographs: Path, scratch: Path, only: set[str]) -> Iterable[tuple[str, Job, list[str]]]:
    """Name, what to do, and whom to compare with."""
    both = list(PEERS)
    for side in (None, *SIDES):
        name = f"short side {side}" if side else "originals"
        wanted = {name, f"{name}, evaluation", "pixels at 256" if side == 256 else name}
        if only and not wanted & only:
            continue
        data = ImageFolder(root=str(folders(photographs, scratch, side)), global_batch_size=BATCH)
        yield name, Job.of(data, "train", 320, 1), both
        if side is None:
            yield f"{name}, evaluation", Job.of(data, "val", 320, 1), both
        if side == 256:
            job = Job.of(data, "train", 1280, 1)
            files = sorted((Path(data.root) / "train" / "photograph").iterdir())
            assert isinstance(job.source, FileImages)
            source = FileImages(job.source.index, job.source.transform, Pixels(files))
            yield "pixels at 256", Job(data, "train", source, job.positions, BATCH, 1), []
    if not only or "small images" in only:
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
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    only = {name for name in options.only.split(",") if name}
    records: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, job, peers in cases(options.photographs, Path(scratch), only):
            if only and name not in only:
                continue
            contenders = [Ours(job, normalise=name == "small images"), *(PEERS[peer](job) for peer in peers)]
            records[name] = record_of(job, measure(contenders, options.rounds), options.rounds)
            records[name]["data"]["root"] = name
            print(as_text(records[name]), end="\n\n", flush=True)
    if options.write:
        before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(before | records, indent=1) + "\n")


if __name__ == "__main__":
    main()
