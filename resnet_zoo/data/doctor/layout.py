"""The doctor's look at folders: splits, class folders and counts, without opening a file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from resnet_zoo.data.decode import is_image_name
from resnet_zoo.data.doctor import imagenet
from resnet_zoo.data.doctor.findings import Finding
from resnet_zoo.data.imagenet import NUM_CLASSES
from resnet_zoo.data.index import ImageIndex
from resnet_zoo.data.layout import EVERY_SPLIT, quoted, require_root, subfolders
from resnet_zoo.data.scan import index_classes

NAMED = 20  # at most so many stray files of a folder are named one by one


@dataclass
class Layout:
    """What a root consists of.

    Attributes:
        root: the folder.
        classes: names of the class folders of the training split, sorted: the labels.
        splits: the images of every split; the label is the position among the split's own class folders.
        class_names: the class folders of every split.
        findings: what is wrong with the folders.
        is_imagenet: whether it is ImageNet-1k.
        is_packed: whether the images lie in the shards of a packed data set; their sizes are those in there.
    """

    root: str
    classes: list[str] = field(default_factory=list)
    splits: dict[str, ImageIndex] = field(default_factory=dict)
    class_names: dict[str, list[str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    is_imagenet: bool = False
    is_packed: bool = False

    @property
    def num_images(self) -> int:
        """Images of all splits."""
        return sum(map(len, self.splits.values()))

    @property
    def num_bytes(self) -> int:
        """Size of all images."""
        return sum(index.num_bytes for index in self.splits.values())


def examine_layout(root: str) -> Layout:
    """Find the splits and class folders of a root, and what does not fit.

    Args:
        root: with "train" and, if there are any, "val" and "test" inside; or with the class folders themselves.

    Raises:
        MissingData: there is no such folder.
    """
    layout = Layout(require_root("data set", root))
    present = [name for name in EVERY_SPLIT if Path(root, name).is_dir()]
    folders = {name: str(Path(root) / name) for name in present} or {"train": root}
    for split, folder in folders.items():
        _examine_split(layout, split, folder)
    layout.classes = layout.class_names.get("train", [])
    layout.is_imagenet = imagenet.looks_like_imagenet(layout.classes)
    if "train" not in folders:
        found = quoted(present)
        layout.findings.append(Finding("missing_split", str(Path(root) / "train"), f"found only {found}"))
    else:
        for split, folder in folders.items():
            if split != "train":
                _compare_classes(layout, split, folder)
    if layout.is_imagenet:
        _compare_with_imagenet(layout, folders)
    layout.findings += _order_of_numbers(layout.classes, folders.get("train", root))
    return layout


def _examine_split(layout: Layout, split: str, folder: str) -> None:
    """Index one split; note flat images, empty classes and files that are no images."""
    classes = subfolders(folder)
    with os.scandir(folder) as entries:
        flat = sorted(entry.name for entry in entries if entry.is_file() and is_image_name(entry.name))
    if not classes:
        if flat:
            advice = f"{len(flat):,} images directly inside"
            if flat[0].startswith("ILSVRC2012_val_"):
                advice += "; 'resnet-zoo data prepare imagenet' sorts the validation set into classes"
            layout.findings.append(Finding("flat_split", folder, advice))
        else:
            layout.findings.append(Finding("missing_split", folder, "neither class folders nor images"))
        return
    layout.findings += [Finding("stray_image", str(Path(folder) / name)) for name in flat[:NAMED]]
    if len(flat) > NAMED:
        layout.findings.append(Finding("stray_image", folder, f"and {len(flat) - NAMED:,} more"))
    index = index_classes(folder, classes)
    counts = Counter(index.labels.tolist())
    layout.findings += [
        Finding("empty_class", str(Path(folder) / name))
        for label, name in enumerate(classes)
        if not counts[label]
    ]
    layout.splits[split], layout.class_names[split] = index, classes
    layout.findings += _other_files(folder)


def _other_files(folder: str) -> list[Finding]:
    """Files that are left out because of their names, counted by extension."""
    extensions: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for directory, inside, files in os.walk(folder):
        inside[:] = [name for name in inside if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and not is_image_name(name):
                extension = Path(name).suffix or "no extension"
                extensions[extension] += 1
                examples.setdefault(extension, str(Path(directory) / name))
    return [
        Finding("other_file", examples[extension], f"{count:,} with {extension}, for example this one")
        for extension, count in extensions.most_common()
    ]


def _compare_classes(layout: Layout, split: str, folder: str) -> None:
    """Every class of the training split must have its folder in the others, and no other may be there."""
    own = layout.class_names.get(split)
    if own is None or "train" not in layout.class_names:
        return
    train = layout.class_names["train"]
    for kind, names in (
        ("missing_class", sorted(set(train) - set(own))),
        ("unknown_class", sorted(set(own) - set(train))),
    ):
        layout.findings += [Finding(kind, str(Path(folder) / name)) for name in names]


def _compare_with_imagenet(layout: Layout, folders: dict[str, str]) -> None:
    """Counts and label order of ImageNet-1k."""
    for split, expected in imagenet.COUNTS.items():
        index = layout.splits.get(split)
        if split not in folders:
            path = str(Path(layout.root) / split)
            layout.findings.append(Finding("missing_split", path, "ImageNet is evaluated on it"))
        elif index is not None and len(index) != expected:
            detail = f"{len(index):,} images, published are {expected:,}"
            layout.findings.append(Finding("count", folders[split], detail))
    if missing := NUM_CLASSES - len(layout.classes):
        what = f"{len(layout.classes):,} class folders, ImageNet-1k has {NUM_CLASSES:,}"
        kind = "missing_class" if missing > 0 else "unknown_class"
        layout.findings.append(Finding(kind, folders.get("train", layout.root), what))
    if wrong := imagenet.wrong_positions(layout.classes):
        layout.findings.append(Finding("class_order", folders.get("train", layout.root), "; ".join(wrong)))


def _order_of_numbers(classes: Sequence[str], folder: str) -> list[Finding]:
    """Numbered classes whose order as text is not that of the numbers: label 2 is class 10."""
    numbers = [int(name) for name in classes if name.isdecimal()]
    if len(numbers) < len(classes) or numbers == sorted(numbers):
        return []
    label = next(
        place for place, pair in enumerate(zip(numbers, sorted(numbers), strict=True)) if pair[0] != pair[1]
    )
    detail = f"label {label} is class {classes[label]!r}; pad the numbers with zeros to have them in order"
    return [Finding("class_order", folder, detail)]
