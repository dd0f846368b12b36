"""Writing one shard of a packed data set."""

from __future__ import annotations

import hashlib
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from resnet_zoo.data.array_file import DamagedFile, read_arrays, write_arrays
from resnet_zoo.data.decode import UnreadableImage
from resnet_zoo.data.index import LARGEST_SIZE, ImageIndex
from resnet_zoo.data.packed.encode import Encoded, encode
from resnet_zoo.data.packed.form import Encoding, Shard
from resnet_zoo.data.stores import Files
from resnet_zoo.runs import replacing

TABLE_SUFFIX = ".table"
"""Beside a complete shard, until the whole data set is complete: what is known of its images."""
WAITING_PER_THREAD = 4


def write_shard(
    path: Path,
    index: ImageIndex,
    positions: Sequence[int],
    encoding: Encoding,
    report: Callable[[int], Any],
    threads: int,
) -> Shard:
    """Encode some images in threads and write them in order; the shard gets its name when it is complete.

    Threads, since decoding, resizing, encoding and checksums all run outside the interpreter.

    Args:
        path: of the shard.
        index: of the images' split.
        positions: of its images.
        encoding: how they are stored.
        report: is told after every image.
        threads: how many encode.
    """
    sizes, checksums, unreadable, changed = [], [], [], 0
    digest = hashlib.sha256()
    with replacing(path) as temporary, temporary.open("wb") as file:
        for position, encoded in _encoded(index, positions, encoding, threads):
            assert len(encoded.content) <= LARGEST_SIZE
            file.write(encoded.content)
            digest.update(encoded.content)
            sizes.append(len(encoded.content))
            checksums.append(zlib.crc32(encoded.content))
            changed += encoded.changed
            if not encoded.readable:
                unreadable.append(position)
            report(1)
    shard = Shard(path.name, sum(sizes), digest.hexdigest())
    arrays = {"sizes": np.array(sizes, np.uint32), "checksums": np.array(checksums, np.uint32)}
    about = {"shard": list(shard), "changed": changed, "unreadable": unreadable}
    write_arrays(path.with_suffix(TABLE_SUFFIX), arrays, about)
    return shard


def read_table(path: Path) -> Shard | None:
    """What was written down of a complete shard; None if it is not complete."""
    try:
        shard = Shard(*read_arrays(path.with_suffix(TABLE_SUFFIX)).about["shard"])
        return shard if path.stat().st_size == shard.bytes else None
    except (OSError, DamagedFile):
        return None


def hash_file(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def encode_file(index: ImageIndex, position: int, encoding: Encoding) -> Encoded:
    """A file in the form in which it is stored; of one that cannot be read there are no bytes."""
    try:
        content = Files(index).read(position)
    except UnreadableImage:
        return Encoded(b"", changed=False, readable=False)
    return encode(content, index.path(position), encoding)


def _encoded(
    index: ImageIndex, positions: Sequence[int], encoding: Encoding, threads: int
) -> Iterator[tuple[int, Encoded]]:
    """The images in order, a few of them ahead of the one that is written."""
    ahead: deque[tuple[int, Future[Encoded]]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for position in positions:
            ahead.append((position, pool.submit(encode_file, index, position, encoding)))
            if len(ahead) > WAITING_PER_THREAD * threads:
                done, future = ahead.popleft()
                yield done, future.result()
        for done, future in ahead:
            yield done, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
