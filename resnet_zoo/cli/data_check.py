"""``resnet-zoo data check``: the doctor."""

from __future__ import annotations

import json
from collections.abc import Callable

from resnet_zoo.cli.parser import CommandParser, positive_int


def main(argv: list[str]) -> int:
    """Examine a folder of images and print what is wrong with it.

    Returns:
        0 if nothing is, or only notes; 1 for warnings; 3 for errors.
    """
    parser = CommandParser(
        "data check",
        "What is wrong with a folder of images: class folders, counts, damaged and odd files, the same image in\n"
        "training and validation. Every file is read and decoded, in as many threads as there are cores.\n"
        "Exit code: 0 healthy, 1 warnings, 3 errors.",
        "resnet-zoo data check data/imagenet",
    )
    parser.add_argument(
        "root", metavar="DIR", help="with 'train' and 'val' inside, or with the class folders"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="read headers and ends of the files only: misses damage between them, and duplicates",
    )
    parser.add_argument("--examples", type=positive_int, default=5, help="how many of a kind to name")
    parser.add_argument("--json", action="store_true", help="print everything found as one record")
    options = parser.parse_args(argv)

    from resnet_zoo.data.doctor.diagnosis import diagnose

    diagnosis = diagnose(options.root, options.quick, _progress_bar)
    print(json.dumps(diagnosis.to_dict(), indent=2) if options.json else diagnosis.as_text(options.examples))
    return diagnosis.exit_code


def _progress_bar(total: int) -> Callable[[int], None]:
    from resnet_zoo.data.progress_bar import ProgressBar

    return ProgressBar("images examined", total).advance
