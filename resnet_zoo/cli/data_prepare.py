"""``resnet-zoo data prepare``: published archives into the folders that training reads."""

from __future__ import annotations

from collections.abc import Callable

from resnet_zoo.cli.parser import CommandParser


def main(argv: list[str]) -> int:
    """Sort ImageNet's validation images into class folders."""
    parser = CommandParser(
        "data prepare",
        "Sort ImageNet's validation images, which come in one heap, into DST/val/<synset>/. Both archives,\n"
        "ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz, are compared with their published hashes. Started\n"
        "again after an interruption it goes on. DST is what an ImageNet config calls 'root'.",
        "resnet-zoo data prepare imagenet downloads/ILSVRC2012_img_val.tar data/imagenet",
    )
    parser.add_argument("data_set", choices=["imagenet"], help="the data set")
    parser.add_argument(
        "source", metavar="TAR_OR_DIR", help="the images' archive, or a folder with it, or with the images"
    )
    parser.add_argument("destination", metavar="DST", help="the folder that gets 'val'")
    parser.add_argument("--devkit", metavar="TAR", help="the archive with the labels; else beside the images")
    options = parser.parse_args(argv)

    from resnet_zoo.data.prepare.validation import prepare_validation

    done = prepare_validation(options.source, options.destination, options.devkit, _progress_bar)
    print(
        f"{done.images:,} images of {done.classes:,} classes in  {done.folder}  ({done.written:,} written now)"
    )
    if not done.verified:
        print("the images came without their archive, so that its hash could not be checked")
    return 0


def _progress_bar(what: str, total: int) -> Callable[[int], None]:
    from resnet_zoo.data.progress_bar import ProgressBar

    return ProgressBar(what, total).advance
