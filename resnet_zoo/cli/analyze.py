"""``resnet-zoo analyze``: what goes on inside the model of a checkpoint, layer by layer."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet_zoo.cli.parser import CommandParser, add_checkpoint_options, positive_int
from resnet_zoo.errors import InvalidValue, MissingData

if TYPE_CHECKING:
    from resnet_zoo.data import ImageDataModule
    from resnet_zoo.experiments.rebuild import SavedModel

KINDS = {
    "responses": "standard deviation of each layer's output behind its norm, on evaluation images",
    "gradients": "norm of the gradient of each layer's weights, for one batch of training images",
    "gates": "how open the transform gates of a highway network are, on evaluation images",
}

_DESCRIPTION = """\
Look into the models of checkpoints that 'resnet-zoo fit' wrote, of any backbone:

  responses  {responses}
  gradients  {gradients}
  gates      {gates}

The images are those of the run that a checkpoint belongs to, or of --config. Prints a table and writes a CSV file.
""".format(**KINDS)

Row = dict[str, Any]


def main(argv: list[str]) -> int:
    """Print the table and write the CSV file.

    Returns:
        0.

    Raises:
        UserMistake: a checkpoint, a config or the data cannot be read, or the model has nothing of the kind.
    """
    parser = CommandParser(
        "analyze", _DESCRIPTION, "resnet-zoo analyze responses runs/quickstart/1/checkpoints/best.ckpt"
    )
    parser.add_argument("kind", choices=tuple(KINDS), help="what to look at")
    parser.add_argument("checkpoints", nargs="+", type=Path, metavar="CKPT", help="a checkpoint of a run")
    parser.add_argument(
        "--config", type=Path, help="config whose data are used; else that of each checkpoint's run"
    )
    parser.add_argument(
        "--num-images", type=positive_int, default=500, metavar="N", help="how many (default 500)"
    )
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="else KIND.csv in the first checkpoint's run directory"
    )
    add_checkpoint_options(parser)
    options = parser.parse_args(argv)

    rows = [row for checkpoint in options.checkpoints for row in analyze(options, checkpoint)]
    print(as_table(options.kind, rows))
    file = options.csv or _home_of(options.checkpoints[0]) / f"{options.kind}.csv"
    write_csv(file, rows)
    print(f"\n{file}")
    return 0


def analyze(options: argparse.Namespace, checkpoint: Path) -> list[Row]:
    """One row for each layer of a checkpoint's model."""
    from resnet_zoo.experiments.rebuild import load_data, load_model  # torch is not needed for --help

    saved = load_model(checkpoint, options.weights, options.backbone)
    config = options.config or _home_of(checkpoint) / "config.yaml"
    if not config.is_file():
        raise MissingData(
            f"no config at '{config}', and so no images for '{checkpoint}'. Give the config of the run with --config."
        )
    found = _measure(options.kind, saved, load_data(config), options.num_images)
    if not found:
        raise InvalidValue(
            f"the model of '{checkpoint}', {saved.name}, has no transform gates. Highway networks have: see "
            "'resnet-zoo list \"highway*\"'."
        )
    return [{"checkpoint": str(checkpoint), "backbone": saved.name, **row} for row in found]


def _measure(kind: str, saved: SavedModel, data: ImageDataModule, num_images: int) -> list[Row]:
    from resnet_zoo.analysis import gate_statistics, gradient_norms, layer_responses
    from resnet_zoo.experiments.rebuild import best_device
    from resnet_zoo.experiments.scoring import batches, random_batch

    device = best_device()
    model = saved.model.to(device)
    if kind == "gradients":
        images, labels = random_batch(data, "train", num_images, seed=0)
        return [asdict(gradient) for gradient in gradient_norms(model, images.to(device), labels.to(device))]
    split = data.test_split_name() or "train"
    evaluated = (images for images, _ in batches(data, split, device=device, limit=num_images))
    if kind == "gates":
        return [asdict(gate) for gate in gate_statistics(model, evaluated)]
    return [asdict(response) for response in layer_responses(model, evaluated)]


def as_table(kind: str, rows: Sequence[Row]) -> str:
    """The rows of each checkpoint under a heading, and what they come to on average."""
    blocks = []
    for checkpoint in dict.fromkeys(row["checkpoint"] for row in rows):
        mine = [row for row in rows if row["checkpoint"] == checkpoint]
        cells = [list(mine[0])[2:], *([_text(value) for value in list(row.values())[2:]] for row in mine)]
        widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
        lines = [
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
            for line in cells
        ]
        blocks.append("\n".join([f"{checkpoint}: {mine[0]['backbone']}", *lines, _summary(kind, mine)]))
    return "\n\n".join(blocks)


def _summary(kind: str, rows: Sequence[Row]) -> str:
    if kind == "gates":
        return f"mean gate over the layers: {sum(row['mean'] for row in rows) / len(rows):.4g}"
    main = [row for row in rows if row["part"] == "main"]
    if kind == "responses":
        return f"mean standard deviation over the layers: {sum(row['std'] for row in main) / len(main):.4g}"
    first, last = main[0]["gradient_norm"], main[-1]["gradient_norm"]
    return f"first to last layer: {first / last:.3g}" if last else "the last layer has no gradient"


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write_csv(file: Path, rows: Sequence[Row]) -> None:
    """All rows with all their digits; the folder is made if it is missing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _home_of(checkpoint: Path) -> Path:
    """The run directory that a checkpoint lies in, if it is one, else the current folder."""
    run = checkpoint.resolve().parent.parent
    return run if (run / "config.yaml").is_file() else Path()
