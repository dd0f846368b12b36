"""What recipes reach, and how long they take: CIFAR-10's ResNet-20, -56 and -110, and ResNet-50 on Imagenette.

    python benchmarks/recipes.py --cifar10 DATA --imagenette DATA [--recipe r20_cifar10] [--epochs N] [--write]

DATA holds images as files, train/CLASS/* and test/CLASS/* or val/CLASS/*. Every recipe of RECIPES is trained by
``resnet-zoo fit`` with its own config; a tenth of CIFAR-10's training images is set aside for validation, as in the
paper. --epochs shortens all of them, for a trial, in which images that were to grow may keep their first size. The
record of each has the test accuracy of its last checkpoint and of its best one (by the validation; where there is no
test split, on the validation images), the median of the seconds of an epoch, the precision, and what was compiled.
With --write it is added to benchmarks/results/recipes.json. Other options are handed on to ``fit``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from epoch_cifar10 import EpochClock

from resnet_zoo.cli import training
from resnet_zoo.cli.bases import read_with_bases
from resnet_zoo.cli.benchmark_record import append_record
from resnet_zoo.cli.timing.job import machine

RESULT = Path(__file__).parent / "results" / "recipes.json"
CIFAR10 = ("--data.pipeline", "cifar", "--data.global_batch_size", "128", "--data.val_fraction", "0.1")
IMAGENETTE = (
    "--data.image_size", "256", "--data.global_batch_size", "256",
    "--model.batch_size_rule", "linear", "--model.reference_batch_size", "4096",
)  # fmt: skip
RECIPES = {
    "r20_cifar10": ("cifar10", CIFAR10),
    "r56_cifar10": ("cifar10", CIFAR10),
    "r110_cifar10": ("cifar10", CIFAR10),
    "r50_imagenet_fast_18": ("imagenette", IMAGENETTE),
}
"""Config: the images it is trained on here, and the options that these need."""
OF_ANY_DATA = ("augment", "repeated_augmentation", "progressive_resizing")
"""Arguments of a recipe's data set that folders of images have, too, and would leave behind."""


def train(recipe: str, root: str, options: argparse.Namespace) -> dict[str, Any]:
    """Train a recipe and score its checkpoints."""
    clock = EpochClock()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        words = ["fit", "--config", recipe, "--data", "ImageFolder", "--data.root", root]
        words += [*of_the_data(recipe), *RECIPES[recipe][1]]
        words += ["--run_dir", str(run), "--logger", "none", "--precision", "auto", "--trainer.devices", "1"]
        words += [
            "--trainer.accelerator",
            options.device,
            "--seed_everything",
            str(options.seed),
            *options.more,
        ]
        if options.epochs is not None:
            words += ["--trainer.max_steps=-1", "--trainer.max_epochs", str(options.epochs)]
        if code := training.main(words, [clock]):
            sys.exit(code)
        scores = {
            name: score(run, name) for name in ("last", "best") if (run / f"checkpoints/{name}.ckpt").exists()
        }
        record = json.loads((run / "record.json").read_text())
    return {
        "recipe": recipe,
        "data": root,
        "seed": options.seed,
        "epochs": len(clock.seconds),
        "seconds_of_an_epoch": statistics.median(clock.seconds),
        "precision": record["precision"],
        "compile": record["compile"],
        **scores,
    }


def of_the_data(recipe: str) -> list[str]:
    """The part of a recipe that a change of the data set would lose, as options."""
    settings = read_with_bases(recipe, lambda config: None)[0].values["data"]["init_args"]
    return [f"--data.{key}={json.dumps(settings[key])}" for key in OF_ANY_DATA if key in settings]


def score(run: Path, name: str) -> dict[str, Any]:
    """Top-1 of a checkpoint on the test images, or on the validation images where there are no others."""
    command = "test" if (run / "test.json").exists() else "validate"
    place = run.parent / name
    words = [
        command,
        "--config",
        str(run / "config.yaml"),
        "--ckpt_path",
        str(run / f"checkpoints/{name}.ckpt"),
    ]
    if code := training.main([*words, "--run_dir", str(place), "--logger", "none"]):
        sys.exit(code)
    result = json.loads((place / f"{command}.json").read_text())
    return {"split": result["split"], "top1": result["top1"], "evaluated": result["evaluated"]}


def main() -> None:
    """Train, print, and keep the records."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cifar10", help="folder of the images")
    parser.add_argument("--imagenette", help="folder of the images")
    parser.add_argument(
        "--recipe", choices=list(RECIPES), action="append", help="by default all that have images"
    )
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu"
    )
    parser.add_argument("--write", action="store_true")
    options, options.more = parser.parse_known_args()
    roots = {"cifar10": options.cifar10, "imagenette": options.imagenette}
    wanted = options.recipe or [name for name, (images, _) in RECIPES.items() if roots[images]]
    for recipe in wanted:
        if not roots[RECIPES[recipe][0]]:
            parser.error(f"where are the images of {recipe}? Give --{RECIPES[recipe][0]} FOLDER.")
    for recipe in wanted:
        record = {
            "machine": machine(torch.device(options.device)),
            **train(recipe, roots[RECIPES[recipe][0]], options),
        }
        print(json.dumps(record, indent=2))
        if options.write:
            append_record(RESULT, record)


if __name__ == "__main__":
    main()
