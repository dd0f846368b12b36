"""The doctor's look at a packed data set: whether its files are as they were written, and what they hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from resnet_zoo.data.array_file import DamagedFile
from resnet_zoo.data.doctor import imagenet
from resnet_zoo.data.doctor.findings import Finding
from resnet_zoo.data.doctor.layout import Layout
from resnet_zoo.data.index import mapped_index
from resnet_zoo.data.packed.form import Manifest
from resnet_zoo.data.packed.remote import is_remote
from resnet_zoo.data.packed.verify import all_files, damage_of, read_manifest
from resnet_zoo.data.walk import below
from resnet_zoo.errors import InvalidValue


def examine_packed(
    root: str, quick: bool, begin: Callable[[int], Callable[[int], None]]
) -> tuple[Layout, list[Finding]]:
    """Compare every file of a packed data set with what was written down of it.

    Args:
        root: its folder.
        quick: compare only sizes, and the checksums of the lists of names.
        begin: told how many files there are, before they are looked at; what it returns is told of every one.

    Returns:
        splits and classes, and what is wrong with the files.

    Raises:
        InvalidValue: it is an address, or was packed by another version.
        DamagedFile: its description cannot be read.
    """
    if is_remote(root):
        raise InvalidValue(
            f"{root!r} is an address, and the doctor looks at folders. Shards from there are compared with their "
            "checksums whenever they are copied; 'resnet-zoo data check' looks through a copy of the whole."
        )
    manifest = read_manifest(root)
    files = all_files(manifest)
    advance = begin(len(files))
    damaged: dict[str, str] = {}
    for file in files:
        if (damage := damage_of(root, file, quick)) is not None:
            damaged[file.name] = damage
        advance(1)
    layout = Layout(root, list(manifest.class_names), is_packed=True)
    layout.is_imagenet = imagenet.looks_like_imagenet(layout.classes)
    _open_indices(layout, manifest, damaged)
    findings = [Finding("altered", str(Path(root, name)), damage) for name, damage in damaged.items()]
    findings += [
        Finding("unreadable", str(Path(root, split, name)), "it was so when it was packed")
        for split, packed in manifest.splits.items()
        for name in packed.unreadable
    ]
    return layout, findings


def _open_indices(layout: Layout, manifest: Manifest, damaged: dict[str, str]) -> None:
    """List the images of every split whose list of names is whole; of the others, the damage."""
    for split, packed in manifest.splits.items():
        if packed.index.name in damaged:
            continue
        try:
            index, _ = mapped_index(below(layout.root, split), Path(layout.root, packed.index.name))
        except DamagedFile as error:
            damaged[packed.index.name] = str(error)
            continue
        layout.splits[split or "train"] = index
