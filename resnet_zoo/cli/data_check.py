"""``resnet-zoo data check``: the doctor."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from resnet_zoo.cli.parser import CommandParser, positive_int
from resnet_zoo.registry import registry


def main(argv: list[str]) -> int:
    """Examine a folder of images and print what is wrong with it.

    Returns:
        0 if nothing is, or only notes; 1 for warnings; 3 for errors.
    """
    parser = _parser()
    options = parser.parse_args(argv)
    if options.devices and not options.backbone:
        parser.error("--devices belongs to --backbone")
    if options.backbone:
        registry.resolve(options.backbone)  # a mistyped name is answered before the files are read

    from resnet_zoo.data.doctor.diagnosis import diagnose
    from resnet_zoo.data.doctor.speed import measure_reading
    from resnet_zoo.data.packed.root import is_packed

    packed = is_packed(options.root)
    if options.backbone and packed:
        parser.error(
            "--backbone goes with a folder of images. How fast a packed data set is read says 'resnet-zoo benchmark "
            f"data --config image_folder --data.root {options.root}'"
        )
    diagnosis = diagnose(
        options.root, options.quick, partial(_progress_bar, "files compared" if packed else "images examined")
    )
    record, texts = diagnosis.to_dict(), [diagnosis.as_text(options.examples)]
    train = diagnosis.layout.splits.get("train")
    if train is not None and len(train) and not diagnosis.layout.is_packed:
        speed = measure_reading(train, options.image_size)
        record["speed"] = speed.to_dict()
        texts.append(speed.as_text())
        if options.backbone:
            from resnet_zoo.cli.data_need import measure_need

            classes = len(diagnosis.layout.classes)
            need = measure_need(options.backbone, options.image_size, classes, options.devices)
            record["need"] = need.to_dict(speed)
            texts[-1] += "\n" + need.as_text(speed)
    print(json.dumps(record, indent=2) if options.json else "\n\n".join(texts))
    return diagnosis.exit_code


def _parser() -> CommandParser:
    parser = CommandParser(
        "data check",
        "What is wrong with a folder of images: class folders, counts, damaged and odd files, the same image in\n"
        "training and validation; then how fast the files can be read and decoded, and whether a model needs more.\n"
        "Every file is decoded, in as many threads as there are cores. Of a packed data set, every file is compared\n"
        "with its checksum.\n"
        "Exit code: 0 healthy, 1 warnings, 3 errors.",
        "resnet-zoo data check data/imagenet --backbone resnet50",
    )
    parser.add_argument(
        "root", metavar="DIR", help="with 'train' and 'val' inside, or with the class folders, or packed"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="read headers and ends of the files only: misses damage between them, and duplicates",
    )
    parser.add_argument("--examples", type=positive_int, default=5, help="how many of a kind to name")
    parser.add_argument("--json", action="store_true", help="print everything found as one record")
    parser.add_argument("--backbone", help="also measure what training this backbone takes on this machine")
    parser.add_argument(
        "--image-size", type=positive_int, default=224, help="of the training crops, in pixels"
    )
    parser.add_argument("--devices", type=positive_int, help="that train; else all GPUs, or one CPU")
    return parser


def _progress_bar(what: str, total: int) -> Callable[[int], None]:
    from resnet_zoo.data.progress_bar import ProgressBar

    return ProgressBar(what, total).advance
