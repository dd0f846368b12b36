"""Seconds of an epoch of ResNet-20 on CIFAR-10 at batch 128: ours, and those of the widely copied trainer, in one run.

    python benchmarks/epoch_cifar10.py --root DATA [--epochs 3] [--write]

DATA holds the images as files, train/CLASS/* and test/CLASS/*. Both train the same net, one after the other, on the
GPU if there is one. The first epoch of each, in which memory, algorithms and workers are found, is not counted.

- ours: ``resnet-zoo fit --config r20_cifar10`` with everything that a user has, ``--precision auto``, and compiled
  where that pays (``--model.compile``). Validation is left out, as it is for the other one.
- usual: the loop of github.com/akamaster/pytorch_resnet_cifar10, written anew: float32, four loader workers that turn
  arrays into pictures and augment them one by one, loss and accuracy fetched at every update.

The record has the seconds of every counted epoch, how many times longer the usual one is, the minutes that 200 of our
epochs take at this speed, and, on a GPU, the share of our time in which kernels run: their time in some profiled
updates over the time that as many updates take without the profiler. With --write it is added to
benchmarks/results/epoch_cifar10.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from race_cifar10 import loader
from torch import nn
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from resnet_zoo.cli import training
from resnet_zoo.cli.benchmark_record import append_record
from resnet_zoo.cli.timing.job import machine
from resnet_zoo.cli.timing.rounds import seconds_of, wait_for
from resnet_zoo.model import create_model

RESULT = Path(__file__).parent / "results" / "epoch_cifar10.json"
EPOCHS_OF_A_TRAINING = 200
PROFILED = 20
"""Updates."""
WORKERS = 4


class EpochClock(Callback):
    """Seconds of every epoch of a training, without what comes between two of them."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._since = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin."""
        wait_for(pl_module.device)
        self._since = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note an epoch."""
        wait_for(pl_module.device)
        self.seconds.append(time.perf_counter() - self._since)


class KernelTime(Callback):
    """Seconds of kernels in an update, from some updates of the last epoch; None without a GPU."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.seconds: float | None = None
        self._profile: profile | None = None

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Begin, a few updates after the epoch did."""
        if pl_module.device.type == "cuda" and (trainer.current_epoch, batch_idx) == (self.epoch, PROFILED):
            self._profile = profile(activities=[ProfilerActivity.CUDA])
            self._profile.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """End, and add up the kernels, leaving out the ranges that only say what kernels belong to."""
        if self._profile is None or batch_idx + 1 < 2 * PROFILED:
            return
        wait_for(pl_module.device)
        self._profile.stop()
        events = self._profile.key_averages()
        self._profile = None
        kernels = [
            each for each in events if each.device_type == DeviceType.CUDA and not each.is_user_annotation
        ]
        self.seconds = sum(each.self_device_time_total for each in kernels) / 1e6 / PROFILED


def ours(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of our epochs, of the kernels of an update, and what an epoch has of them."""
    clock, kernels = EpochClock(), KernelTime(options.epochs + 1)  # the profiled epoch is not timed
    with tempfile.TemporaryDirectory() as folder:
        words = ["fit", "--config", "r20_cifar10", "--data", "ImageFolder", "--data.root", options.root]
        words += ["--data.pipeline", "cifar", "--data.global_batch_size", str(options.batch_size)]
        words += ["--run_dir", f"{folder}/run", "--wandb.mode", "offline", "--precision", "auto"]
        words += ["--model.compile.backbone", "auto", "--model.compile.optimizer", "auto"]
        words += ["--trainer.max_steps=-1", "--trainer.max_epochs", str(options.epochs + 2)]
        words += [
            "--trainer.accelerator",
            options.device,
            "--trainer.devices",
            "1",
            "--trainer.limit_val_batches",
            "0",
        ]
        if code := training.main(words, [clock, kernels]):
            sys.exit(code)
        record = json.loads(Path(folder, "run", "record.json").read_text())
    return {
        "seconds": clock.seconds[1:-1],
        "kernel_seconds_of_an_update": kernels.seconds,
        "precision": record["precision"],
        "compile": record["compile"],
        "train_images": record["data"]["num_samples"]["train"],
    }


def usual(options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Seconds of the other's epochs."""
    batches = loader(options.root, "train", WORKERS, options.batch_size)
    net = create_model("resnet20_cifar", num_classes=10).to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)

    def epoch() -> None:
        for images, labels in batches:
            images, labels = images.to(device), labels.to(device)  # noqa: PLW2901
            logits = net(images)
            loss = nn.functional.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
            (logits.argmax(1) == labels).float().mean().item()

    return {
        "seconds": [seconds_of(epoch, device) for _ in range(options.epochs + 1)][1:],
        "updates": len(batches),
    }


def main() -> None:
    """Measure, print, and keep the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument(
        "--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu"
    )
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    device = torch.device(options.device)
    record = compared(ours(options), usual(options, device))
    record = {
        "machine": machine(device),
        "batch_size": options.batch_size,
        "workers_of_usual": WORKERS,
        **record,
    }
    print(json.dumps(record, indent=2))
    if options.write:
        append_record(RESULT, record)


def compared(our: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Both, with what follows from them."""
    median, longer = statistics.median(our["seconds"]), statistics.median(other["seconds"])
    kernels = our["kernel_seconds_of_an_update"]
    return {
        "ours": our,
        "usual": other,
        "times_longer": longer / median,
        "minutes_of_200_epochs": EPOCHS_OF_A_TRAINING * median / 60,
        "share_in_kernels": None if kernels is None else kernels * other["updates"] / median,
    }


if __name__ == "__main__":
    main()
