"""What is known of ImageNet-1k as it was published: its size, and the files that look damaged and are not.

The training and validation archives hold 22 and one CMYK images, and one PNG whose name ends in .JPEG. The names are
those that the Inception training code (Szegedy et al. 2015, arXiv:1512.00567, ``build_imagenet_data.py``) converts,
and the CMYK image of the validation set that its users found later.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from resnet_zoo.data.imagenet import KNOWN_POSITIONS, NUM_CLASSES, SYNSET

COUNTS = {"train": 1_281_167, "val": 50_000}
"""Images of the splits (Russakovsky et al. 2014, arXiv:1409.0575, table 2)."""

FEWEST_OF_A_DAMAGED_COPY = 900
"""From so many synset folders on, a root is taken to be ImageNet-1k with some missing, and not a chosen subset."""

KNOWN_PNG = "n02105855_2933.JPEG"
KNOWN_CMYK = frozenset(
    f"{name}.JPEG"
    for name in (
        "n01739381_1309", "n02077923_14822", "n02447366_23489", "n02492035_15739", "n02747177_10752",
        "n03018349_4028", "n03062245_4620", "n03347037_9675", "n03467068_12171", "n03529860_11437",
        "n03544143_17228", "n03633091_5218", "n03710637_5125", "n03961711_5286", "n04033995_2932",
        "n04258138_17003", "n04264628_27969", "n04336792_7448", "n04371774_5854", "n04596742_4225",
        "n07583066_647", "n13037406_4650", "ILSVRC2012_val_00019877",
    )
)  # fmt: skip


def is_known_oddity(kind: str, path: str) -> bool:
    """Whether ImageNet was published with this file being so."""
    name = PurePath(path).name
    return (kind == "cmyk" and name in KNOWN_CMYK) or (
        kind in ("misnamed", "transparent") and name == KNOWN_PNG
    )


def all_synsets(classes: Sequence[str]) -> bool:
    """Whether every class is named like a synset (n01440764)."""
    return bool(classes) and all(map(SYNSET.fullmatch, classes))


def looks_like_imagenet(classes: Sequence[str]) -> bool:
    """Whether these class folders are ImageNet-1k, whole or with a few missing, rather than a choice of it."""
    return all_synsets(classes) and len(classes) >= FEWEST_OF_A_DAMAGED_COPY


def wrong_positions(classes: Sequence[str]) -> list[str]:
    """Of synsets whose label is known: those that stand elsewhere among the sorted thousand, in words."""
    ordered = sorted(classes)
    if len(ordered) != NUM_CLASSES:
        return []
    return [
        f"label {label} should be {synset} and is {ordered[label]}"
        for synset, label in KNOWN_POSITIONS.items()
        if ordered[label] != synset
    ]
