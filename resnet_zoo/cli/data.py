"""``resnet-zoo data``: commands on data sets, chosen by the first word."""

from __future__ import annotations

from resnet_zoo.cli.commands import Command, CommandGroup

main = CommandGroup(
    "data",
    "Look after data sets.",
    {
        "check": Command("resnet_zoo.cli.data_check", "what is wrong with a folder of images"),
        "prepare": Command("resnet_zoo.cli.data_prepare", "published archives into folders of images"),
        "pack": Command(
            "resnet_zoo.cli.data_pack", "a folder of images as a few large files, which are read faster"
        ),
    },
    "resnet-zoo data check data/imagenet",
).main
