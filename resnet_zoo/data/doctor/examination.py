"""All files of a data set, in as many threads as there are cores; and the same file in two places."""

from __future__ import annotations

import filecmp
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resnet_zoo.cores import available_cores
from resnet_zoo.data.doctor.files import Examined, examine_file
from resnet_zoo.data.doctor.findings import Finding
from resnet_zoo.data.doctor.imagenet import is_known_oddity
from resnet_zoo.data.doctor.layout import Layout
from resnet_zoo.data.index import ImageIndex

CHUNK = 64  # files a thread takes at a time
Digests = dict[str, NDArray[np.uint64]]
_NOT_READ = 0  # in place of a digest


def examine_files(
    layout: Layout, quick: bool = False, advance: Callable[[int], None] = lambda count: None
) -> tuple[list[Finding], Digests]:
    """Look at every file of every split.

    Decoders and hashes run outside Python's lock, so threads use all cores without importing torch once more each.

    Args:
        layout: what there is.
        quick: headers and ends of the files only.
        advance: told how many more files were looked at, from the calling thread.

    Returns:
        the findings in the order of the files, and per split the digest of every file.
    """
    findings: list[Finding] = []
    digests: Digests = {}
    with warnings.catch_warnings(), ThreadPoolExecutor(max_workers=available_cores()) as pool:
        warnings.simplefilter("ignore")  # what Pillow warns of is found here in other ways
        for split, index in layout.splits.items():
            seen = np.full(len(index), _NOT_READ, dtype=np.uint64)
            for start, chunk in _chunks(pool, index, quick):
                for position, examined in enumerate(chunk, start):
                    if examined.digest is not None:
                        seen[position] = examined.digest
                    if examined.findings:
                        findings += _as_findings(examined, index.path(position))
                advance(len(chunk))
            digests[split] = seen
    return findings, digests


def _chunks(pool: ThreadPoolExecutor, index: ImageIndex, quick: bool) -> Iterator[tuple[int, list[Examined]]]:
    def look(start: int) -> tuple[int, list[Examined]]:
        stop = min(start + CHUNK, len(index))
        return start, [examine_file(index.path(position), quick) for position in range(start, stop)]

    return pool.map(look, range(0, len(index), CHUNK))


def _as_findings(examined: Examined, path: str) -> Iterator[Finding]:
    for kind, detail in examined.findings:
        if is_known_oddity(kind, path):
            yield Finding("known_oddity", path, f"{kind}{': ' if detail else ''}{detail}")
        else:
            yield Finding(kind, path, detail)


def find_duplicates(layout: Layout, digests: Digests) -> list[Finding]:
    """The same content in training and evaluation, and under two classes of one split.

    Equal digests are compared byte by byte, so that nothing is reported that is not exactly the same.
    """
    splits = list(layout.splits)
    values = np.concatenate([digests[split] for split in splits])
    owners = np.repeat(np.arange(len(splits)), [len(digests[split]) for split in splits])
    positions = np.concatenate([np.arange(len(digests[split])) for split in splits])
    order = np.argsort(values, kind="stable")
    order = order[values[order] != _NOT_READ]
    _, starts, counts = np.unique(values[order], return_index=True, return_counts=True)
    findings: list[Finding] = []
    for start, count in zip(starts[counts > 1].tolist(), counts[counts > 1].tolist(), strict=True):
        group = [(splits[owners[i]], int(positions[i])) for i in order[start : start + count]]
        findings += _duplicates_of_a_group(layout, group)
    return sorted(findings, key=lambda finding: finding.path)


def _duplicates_of_a_group(layout: Layout, group: list[tuple[str, int]]) -> Iterator[Finding]:
    """Each file against the first one of the group, which is of the training split where there is one."""
    (split, position), *others = group
    index = layout.splits[split]
    first, first_class = index.path(position), layout.class_names[split][index.labels[position]]
    for other_split, other_position in others:
        other = layout.splits[other_split]
        path = other.path(other_position)
        if not filecmp.cmp(first, path, shallow=False):
            continue
        relative = str(Path(first).relative_to(layout.root))
        if other_split != split:
            yield Finding("duplicate", path, f"the same as {relative}")
        elif layout.class_names[split][other.labels[other_position]] != first_class:
            yield Finding("two_classes", path, f"the same as {relative}")
