"""Does every kind of shipped recipe learn? Each trains a ResNet-8 on the embedded digits, a few seconds on a CPU.

    python benchmarks/recipes_learn.py [--only NAME,...] [--epochs 30] [--seed 0] [--write]

A recipe keeps what it is made of (optimizer, schedule, loss, smoothing, augmentation, average, decay groups, growing
images); what has a size is scaled down with it: epochs and all points of the schedule, images and learning rate. It
shows that the parts work together, not what a recipe reaches on its own data. With --write the results join those in
benchmarks/results/recipes_learn.json, from which docs/recipes.md takes its table.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import yaml

from resnet_zoo.cli import training
from resnet_zoo.cli.bases import read_with_bases
from resnet_zoo.cli.timing.job import machine

RESULTS = Path(__file__).parent / "results" / "recipes_learn.json"
KINDS = {
    "r20_cifar10": "the paper's, on CIFAR-10",
    "r110_cifar10": "the paper's with its hold",
    "r50_imagenet_paper": "the paper's, on ImageNet",
    "r50_imagenet": "Goyal et al.",
    "r50_imagenet_8192": "Goyal et al., large batches",
    "r50_imagenet_cosine": "pycls, cosine",
    "r50_imagenet_fast_16": "fast, growing images",
    "r50_imagenet_rsb_a1": "RSB A1",
    "r50_imagenet_rsb_a3": "RSB A3",
    "cifar10_30_epochs/resnet20_cifar": "30 epochs of CIFAR-10",
    "r20_cifar10_fast": "CIFAR-10 for the clock",
}
EPOCHS = 30
BATCH, USUAL_BATCH = 64, 256
OWN_SIDE, LARGE_SIDE = 8, 16
"""Of the digits in pixels; they are enlarged where images grow or are changed one by one."""

USUAL_SIZES = {"ImageNet": 224, "CIFAR10": 32}
CIFAR_EPOCHS = 64_000 * 128 / 45_000
"""Of a recipe that counts in updates."""

OF_ANY_DATA = ("augment", "repeated_augmentation")
OF_THE_NET = ("drop_path", "zero_init_residual")


def shrunk(name: str, epochs: int) -> dict[str, Any]:
    """The recipe's merged config, scaled down."""
    values = read_with_bases(name, lambda config: None)[0].values
    model, data = values["model"], values["data"]["init_args"]
    length = values["trainer"]["max_epochs"]
    ratio = epochs / (CIFAR_EPOCHS if length < 0 else length)
    backbone = model["backbone"]
    kept = backbone.get("init_args", {}) if isinstance(backbone, dict) else {}
    model["backbone"] = {
        "class_path": "resnet_cifar",
        "init_args": {"depth": 8, **{key: kept[key] for key in OF_THE_NET if key in kept}},
    }
    optimizer = model["optimizer"]["init_args"]
    optimizer["lr"] = float(optimizer["lr"]) * _rate_ratio(model, data["global_batch_size"])
    _shrink_schedule(model["lr_schedule"]["init_args"], ratio)
    side = LARGE_SIDE if {"progressive_resizing", "augment"} & data.keys() else OWN_SIDE
    digits = {"image_size": side, "global_batch_size": BATCH, "val_size": 180, "num_workers": 0}
    digits |= {key: data[key] for key in OF_ANY_DATA if key in data}
    if "progressive_resizing" in data:
        digits["progressive_resizing"] = _shrink_sizes(
            data["progressive_resizing"],
            data.get("image_size", USUAL_SIZES[values["data"]["class_path"]]),
            ratio,
        )
    return {
        "trainer": {
            "max_epochs": epochs,
            "accelerator": "cpu",
            "enable_progress_bar": False,
            "log_every_n_steps": 5,
            "check_val_every_n_epoch": epochs,
        },
        "model": model,
        "data": {"class_path": "Digits", "init_args": digits},
        "logger": "none",
    } | ({"ema": values["ema"]} if "ema" in values else {})


def _rate_ratio(model: dict[str, Any], batch_size: int) -> float:
    """SGD's rate becomes that for 256 images (Goyal et al. 2017, section 2.1); LAMB's is a share of the weights."""
    if model.pop("batch_size_rule", None) is not None:
        batch_size = model.pop("reference_batch_size")
    sgd = model["optimizer"]["class_path"] == "torch.optim.SGD"
    return min(1.0, USUAL_BATCH / batch_size) if sgd else 1.0


def _shrink_schedule(schedule: dict[str, Any], ratio: float) -> None:
    if "warmup_epochs" in schedule:
        schedule["warmup_epochs"] *= ratio
    if "milestones" in schedule:
        schedule["milestones"] = [epoch * ratio for epoch in schedule["milestones"]]
    if "milestone_steps" in schedule:
        per_update = ratio * 128 / 45_000
        schedule["milestones"] = [step * per_update for step in schedule.pop("milestone_steps")]
    if "hold" in schedule:
        schedule["hold"]["window_steps"] = 10


def _shrink_sizes(sizes: dict[str, Any], image_size: int, ratio: float) -> dict[str, Any]:
    scaled = {key: round(sizes[key] * ratio) for key in ("start_epoch", "end_epoch") if key in sizes}
    scaled |= {
        key: round(sizes[key] * LARGE_SIDE / image_size) for key in ("start_size", "end_size") if key in sizes
    }
    return scaled | {"multiple": 2}


def learn(name: str, epochs: int = EPOCHS, seed: int = 0) -> dict[str, Any]:
    """Train by a recipe.

    Returns:
        epochs, seed, test top-1 of the last weights in percent, mean training loss of the first and the last tenth of
        the updates, and seconds.
    """
    since = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        config, run = Path(folder, "recipe.yaml"), Path(folder, "run")
        config.write_text(yaml.safe_dump(shrunk(name, epochs)))
        words = ["fit", "--config", str(config), "--run_dir", str(run), "--seed_everything", str(seed)]
        if code := training.main(words):
            raise RuntimeError(f"{name}: training ended with exit code {code}")
        result = json.loads((run / "test.json").read_text())
        with (run / "metrics.csv").open() as file:
            rows = list(csv.DictReader(file))
    losses = [float(row["train/loss"]) for row in rows if row["train/loss"]]
    tenth = max(1, len(losses) // 10)
    return {
        "epochs": epochs,
        "seed": seed,
        "top1": result["top1"],
        "test_images": result["evaluated"],
        "first_loss": sum(losses[:tenth]) / tenth,
        "last_loss": sum(losses[-tenth:]) / tenth,
        "seconds": time.perf_counter() - since,
    }


def main() -> None:
    """Train by all kinds of recipes, or some."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    for name in [name for name in options.only.split(",") if name] or KINDS:
        around = machine(torch.device("cpu"))
        found = learn(name, options.epochs, options.seed) | {"machine": around}
        print(json.dumps({name: found}), file=sys.stderr, flush=True)
        if options.write:
            keep(name, found)


def keep(name: str, found: dict[str, Any]) -> None:
    """Put a result in its place in the file."""
    results = (json.loads(RESULTS.read_text()) if RESULTS.exists() else {}) | {name: found}
    RESULTS.write_text(
        json.dumps({name: results[name] for name in KINDS if name in results}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
