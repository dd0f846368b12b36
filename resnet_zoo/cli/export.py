"""The command export: a checkpoint's model as a file for other software, checked against the original."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from resnet_zoo.cli.parser import CommandParser, add_checkpoint_options, positive_int
from resnet_zoo.errors import InvalidValue
from resnet_zoo.export_formats import Format
from resnet_zoo.runs import write_text_atomically

if TYPE_CHECKING:
    from resnet_zoo.metrics import WeightsName
    from resnet_zoo.model import ImageModel

SIDE_FILE = (".onnx", ".pt2", ".safetensors")
"""Formats that carry the description inside; the others get a JSON file beside them."""


def main(argv: list[str]) -> int:
    """Write the file and say what was compared.

    Raises:
        UserMistake: the checkpoint, the format or the place is not as it must be.
        ExportDiffers: the file computes something else; it is not kept.
    """
    options = _parser().parse_args(argv)

    from resnet_zoo.callbacks.checkpoint_io import read_checkpoint
    from resnet_zoo.weights import choose_weights
    from resnet_zoo.weights.export import FORMATS, export

    path = Path(options.checkpoint)
    checkpoint = read_checkpoint(path)
    made = checkpoint.get("resnet_zoo") or {}
    weights = choose_weights(checkpoint, options.weights, path)
    model = rebuild(checkpoint, options.backbone, weights)
    chosen = FORMATS[options.format]
    output = Path(options.output) if options.output else path.with_suffix(chosen.suffix)
    if output.exists() and not options.force:
        raise InvalidValue(f"'{output}' exists. Choose another --output, or replace it with --force.")
    if not output.parent.is_dir():
        raise InvalidValue(
            f"there is no folder '{output.parent}' for the file. Make it, or choose another --output."
        )
    description = describe(checkpoint, path, weights)
    size = options.image_size or (made.get("preprocessing") or {}).get("image_size")
    if size is None:
        raise InvalidValue(
            f"'{path}' does not say for which image size it was trained. Give it: --image-size 224."
        )
    with tempfile.TemporaryDirectory(prefix=".export-", dir=output.parent) as folder:
        temporary = Path(folder, f"model{chosen.suffix}")
        difference = export(model, temporary, options.format, size, description)
        temporary.replace(output)
    if chosen.suffix not in SIDE_FILE:
        write_text_atomically(output.with_suffix(".json"), json.dumps(description, indent=2) + "\n")
    print(f"written to  {output}  ({output.stat().st_size:,} bytes)")
    print(
        f"compared on 3 images of {size}x{size}: logits differ by {difference:.1e} of the largest, "
        f"{chosen.tolerance:g} is allowed"
    )
    return 0


def rebuild(checkpoint: dict[str, Any], allowed: str | None, weights: WeightsName = "raw") -> ImageModel:
    """The model that a checkpoint of ours describes, with its raw or averaged weights.

    Raises:
        InvalidValue: the checkpoint does not say how it was made, or names code that was not allowed.
    """
    from resnet_zoo.model import ImageModel, rebuild_backbone
    from resnet_zoo.weights import state_of

    made = checkpoint.get("resnet_zoo") or {}
    built_by = made.get("backbone")
    if not built_by:
        raise InvalidValue(
            "the checkpoint does not say how its model was built; only those of 'resnet-zoo fit' do."
        )
    model = ImageModel(rebuild_backbone(built_by, allowed), made["num_classes"])
    model.load_state_dict(state_of(checkpoint, weights))
    return model


def describe(checkpoint: dict[str, Any], path: Path, weights: WeightsName = "raw") -> dict[str, Any]:
    """What travels with the file: classes, preprocessing, how the net was built, and the checkpoint it came from."""
    from resnet_zoo.weights.loading import sha256

    made = checkpoint["resnet_zoo"]
    return {
        "backbone": made["backbone"],
        "num_classes": made["num_classes"],
        "class_names": made.get("class_names") or None,
        "preprocessing": made.get("preprocessing"),
        "input": "images (batch, 3, height, width), float32, channels RGB, scaled to 0..1, minus mean, over std",
        "output": "logits (batch, num_classes)",
        "checkpoint": {
            "name": path.name,
            "sha256": sha256(path),
            "epoch": checkpoint.get("epoch"),
            "weights": weights,
        },
    }


def _parser() -> CommandParser:
    parser = CommandParser(
        "export",
        "Write the model of a checkpoint as a file for other software, and compare it with the original.",
        "resnet-zoo export runs/quickstart/1/checkpoints/best.ckpt --format safetensors",
    )
    parser.add_argument("checkpoint", help="checkpoint of a run")
    parser.add_argument("--format", choices=sorted(get_args(Format)), required=True, help="kind of file")
    parser.add_argument(
        "--output", help="the file; by default beside the checkpoint, with the format's suffix"
    )
    parser.add_argument("--image-size", type=positive_int, help="height and width; by default the training's")
    add_checkpoint_options(parser)
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    return parser
