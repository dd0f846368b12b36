"""``resnet-zoo data pack``: a folder of images as a few large files."""

from __future__ import annotations

import sys
from pathlib import Path

from resnet_zoo.cli.parser import CommandParser
from resnet_zoo.errors import InvalidValue

SHOWN = 10
UNREADABLE = 1


def main(argv: list[str]) -> int:
    """Pack a folder of images, or look through a packed one.

    Returns:
        0, or 1 if some images cannot be decoded; they are stored as they were and named.

    Raises:
        InvalidValue, MissingData: the folders or options are not as they must be; nothing is written then.
    """
    parser = CommandParser(
        "data pack",
        "Write the images of a folder into a few large files, with checksums: the fast form of a data set.\n"
        "ImageNet and ImageFolder read it by 'root' like the folder, the same images in the same order.\n"
        "A command that was stopped continues when it is given again. Exit code: 1 if images cannot be decoded.",
        "resnet-zoo data pack data/imagenet data/imagenet-256 --short-side 256",
    )
    parser.add_argument(
        "source", metavar="SRC", help="folder with 'train' and 'val', or with the class folders"
    )
    parser.add_argument("target", metavar="DST", nargs="?", help="folder to write, empty or not there yet")
    parser.add_argument(
        "--short-side", type=int, help="resize images whose shorter side is longer, in pixels"
    )
    parser.add_argument("--quality", type=int, help="of the JPEG that a resized image becomes; by default 90")
    parser.add_argument(
        "--raw", action="store_true", help="store pixels, not files: faster and ten times larger"
    )
    parser.add_argument(
        "--verify", action="store_true", help="compare every file of the packed SRC with its checksum"
    )
    options = parser.parse_args(argv)
    if options.verify == (options.target is not None):
        raise InvalidValue("resnet-zoo data pack: give SRC and DST, or --verify and a packed data set.")
    if options.verify:
        return _verify(options.source)

    import torch

    from resnet_zoo.data.packed.form import Encoding
    from resnet_zoo.data.packed.pack import pack, plan_packing
    from resnet_zoo.data.progress_bar import ProgressBar

    torch.set_num_threads(1)  # every image has a thread of its own
    packing = plan_packing(options.source, Encoding(options.short_side, options.quality, options.raw))
    bar = ProgressBar("images packed", packing.num_images)
    manifest = pack(packing, Path(options.target), bar.advance)
    total = sum(shard.bytes for split in manifest.splits.values() for shard in split.shards)
    changed = sum(split.changed for split in manifest.splits.values())
    print(
        f"packed {packing.num_images:,} images of {len(packing.class_names):,} classes into '{options.target}': "
        f"{total / 1e6:,.1f} MB, {packing.num_images - changed:,} as their files are, {changed:,} changed."
    )
    unreadable = [name for split in manifest.splits.values() for name in split.unreadable]
    for name in unreadable[:SHOWN]:
        print(f"cannot be decoded and is stored as it is: {name}", file=sys.stderr)
    if len(unreadable) > SHOWN:
        print(
            f"and {len(unreadable) - SHOWN:,} more; 'resnet-zoo data check' finds them all.", file=sys.stderr
        )
    return UNREADABLE if unreadable else 0


def _verify(root: str) -> int:
    from resnet_zoo.data.packed.form import MANIFEST
    from resnet_zoo.data.packed.verify import verify
    from resnet_zoo.data.progress_bar import ProgressBar

    manifest = verify(root, lambda total: ProgressBar("files verified", total).advance)
    shards = sum(len(split.shards) for split in manifest.splits.values())
    print(f"'{root}': {shards:,} shards, every one as '{MANIFEST}' says.")
    return 0
