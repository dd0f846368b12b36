"""How accurate ResNet-20 becomes on CIFAR-10 in so many minutes on this CPU: our fast recipe, and the usual script.

    python benchmarks/race_cifar10.py --root DATA --minutes 3 [--contestant ours] [--contestant usual]

DATA holds the images as files, train/CLASS/* and test/CLASS/*. Both contestants train the same net in float32 with the
same number of threads on images that are in memory already. The clock runs while they train and stands still while
they start, decode, and evaluate. ``--clock cpu`` counts the processor time of the training process instead of the time
on the wall, for machines that have other work to do; what loader workers use is then not counted.

- ours: ``resnet-zoo fit --config r20_cifar10_fast``, as long as the time allows: a few timed steps, those of
  ``explain --measure``, give the number of updates beforehand. It is evaluated once, at its end.
- usual: what a widely copied script for these nets does (github.com/akamaster/pytorch_resnet_cifar10), written anew:
  the rate is 0.1 until epoch 100 of 200, SGD with momentum 0.9 and weight decay 1e-4, batches of 128, ImageNet's means
  and deviations, and loader workers that turn each array into a picture, flip, crop and normalise it. It is evaluated
  after every epoch and when time is up, and the best evaluation counts, as in that script.

Each contestant adds a record with machine, versions, load and date to benchmarks/results/race_cifar10.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from resnet_zoo.classifier import ImageClassifier
from resnet_zoo.cli import training
from resnet_zoo.cli.step_time import measure_step
from resnet_zoo.cli.timing.job import machine
from resnet_zoo.data import ImageFolder
from resnet_zoo.model import create_backbone, create_model

Clock = Callable[[], float]
CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}
RESULTS = Path(__file__).parent / "results" / "race_cifar10.json"
BATCH, TRAIN_IMAGES = 128, 50_000
SMALL, LARGE, SMALL_SHARE = 24, 32, 0.7
"""Pixels of the recipe's first and last epochs, and the share of the first."""
TRIES = 4
MARGIN = 0.9
"""The share of the measured speed that the number of updates is computed from, so that the race ends in time."""


class Stopwatch(Callback):
    """Seconds of training alone; stops the training when they are used up."""

    def __init__(self, budget: float, clock: Clock) -> None:
        self.budget = budget
        self.clock = clock
        self.seconds = 0.0
        self.updates = 0
        self._since = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._since = self.clock()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = self.clock()
        self.seconds, self._since = self.seconds + now - self._since, now
        self.updates = trainer.global_step
        if self.seconds > self.budget:
            trainer.should_stop = True


def plan(budget: float, clock: Clock) -> tuple[int, int]:
    """Updates that fit into the budget, and the epochs of them on small images, from a few timed steps of each size."""
    seconds = {}
    for size in (SMALL, LARGE):
        model = ImageClassifier(create_backbone("resnet20_cifar"), num_classes=10)
        speeds = [measure_step(model, size, BATCH, "32-true", clock).images_per_second for _ in range(TRIES)]
        seconds[size] = 1 / max(speeds)
    mean = SMALL_SHARE * seconds[SMALL] + (1 - SMALL_SHARE) * seconds[LARGE]
    small_epochs = round(SMALL_SHARE * budget * MARGIN / mean / TRAIN_IMAGES)
    left = budget * MARGIN - small_epochs * TRAIN_IMAGES * seconds[SMALL]
    return int((small_epochs * TRAIN_IMAGES + max(left, 0.0) / seconds[LARGE]) / BATCH), small_epochs


def ours(root: str, budget: float, clock: Clock) -> dict[str, Any]:
    """The fast recipe, in as many updates as fit."""
    updates, small_epochs = plan(budget, clock)
    watch = Stopwatch(budget, clock)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        words = ["fit", "--config", "r20_cifar10_fast", "--data", "ImageFolder", "--data.root", root]
        words += ["--data.pipeline", "cifar", "--data.global_batch_size", str(BATCH), "--run_dir", str(run)]
        words += ["--trainer.max_epochs=-1", f"--trainer.max_steps={updates}", "--logger", "none"]
        words += ["--seed_everything", str(torch.initial_seed())]
        if small_epochs:  # another data set leaves the arguments of the recipe's own behind
            sizes = {"start_size": SMALL, "start_epoch": small_epochs - 1, "end_epoch": small_epochs}
            words += [f"--data.progressive_resizing={json.dumps(sizes)}"]
        if code := training.main(words, [watch]):
            sys.exit(code)
        top1 = json.loads((run / "test.json").read_text())["top1"]
    return {"top1": top1, "updates": watch.updates, "planned_updates": updates, "seconds": watch.seconds}


class Pictures(Dataset[tuple[Tensor, int]]):
    """Arrays that become pictures and then tensors, one by one."""

    def __init__(self, arrays: np.ndarray[Any, Any], labels: list[int], transform: Any) -> None:
        self.arrays, self.labels, self.transform = arrays, labels, transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.arrays[index])), self.labels[index]


def loader(root: str, split: str, workers: int, batch_size: int) -> DataLoader[tuple[Tensor, int]]:
    """One split in the usual form."""
    source = ImageFolder(root=root, pipeline="cifar", global_batch_size=batch_size).load_split(split)
    normalize = transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    steps: list[Any] = [transforms.ToTensor(), normalize]
    if split == "train":
        steps = [transforms.RandomHorizontalFlip(), transforms.RandomCrop(32, 4), *steps]
    pictures = Pictures(source.images.numpy(), source.labels.tolist(), transforms.Compose(steps))
    return DataLoader(
        pictures, batch_size, shuffle=split == "train", num_workers=workers, persistent_workers=workers > 0
    )


@torch.no_grad()
def accuracy(net: nn.Module, batches: DataLoader[tuple[Tensor, int]]) -> float:
    """Top-1 in percent."""
    net.eval()
    right = sum(int((net(images).argmax(1) == labels).sum()) for images, labels in batches)
    net.train()
    return 100.0 * right / len(batches.dataset)  # type: ignore[arg-type]


def usual(root: str, budget: float, clock: Clock) -> dict[str, Any]:
    """The widely copied way; its schedule is far from its first fall when the time is up."""
    workers = os.cpu_count() or 1
    train, test = (loader(root, split, workers, BATCH) for split in ("train", "test"))
    net = create_model("resnet20_cifar", num_classes=10)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    seconds, updates, scores = 0.0, 0, []
    while seconds < budget:
        since = clock()
        for images, labels in train:
            loss = nn.functional.cross_entropy(net(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()  # its running mean wants the number at every update
            now = clock()
            seconds, since, updates = seconds + now - since, now, updates + 1
            if seconds >= budget:
                break
        scores.append(accuracy(net, test))
    return {"top1": max(scores), "last_top1": scores[-1], "updates": updates, "seconds": seconds}


def main() -> None:
    """Race, print and keep the records."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", required=True)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--contestant", choices=["ours", "usual"], action="append")
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for contestant in options.contestant or ["usual", "ours"]:
        torch.manual_seed(options.seed)
        load = os.getloadavg()[0]
        found = (ours if contestant == "ours" else usual)(
            options.root, options.minutes * 60, CLOCKS[options.clock]
        )
        record = {
            "contestant": contestant,
            "minutes": options.minutes,
            "clock": options.clock,
            "seed": options.seed,
            **found,
        }
        record["epochs"] = record["updates"] * BATCH / TRAIN_IMAGES
        around = machine(torch.device("cpu"))
        record |= {"processor": around["device"], "load_before": load, "load_after": around["load"]}
        record |= {key: around[key] for key in ("threads", "cores", "torch", "torchvision", "date")}
        print(json.dumps(record))
        keep(record)


def keep(record: dict[str, Any]) -> None:
    """Add a record to the file of results, one a line."""
    records = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    RESULTS.write_text("[\n" + ",\n".join(f"  {json.dumps(each)}" for each in [*records, record]) + "\n]\n")


if __name__ == "__main__":
    main()
