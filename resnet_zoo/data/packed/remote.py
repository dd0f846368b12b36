"""Packed data sets that lie elsewhere: on a web server, in object storage, wherever fsspec has a file system for.

A shard is copied into the user's cache folder when its first image is asked for, and taken only with the right
checksum. Since the order of an epoch is a permutation of all images, that is soon the case for all shards: what
streams is the first epoch, and the disk must hold the data set.
"""

from __future__ import annotations

import fcntl
import hashlib
from dataclasses import dataclass
from pathlib import Path

import fsspec

from resnet_zoo.cache import cache_folder
from resnet_zoo.data.array_file import DamagedFile
from resnet_zoo.data.packed.form import MANIFEST, Shard
from resnet_zoo.errors import MissingData
from resnet_zoo.runs import replacing

CHUNK = 2**22


def is_remote(root: str) -> bool:
    """Whether a root is an address and not a path."""
    return "://" in root


def read_remote_manifest(root: str) -> str:
    """The ``packed.json`` of an address.

    Raises:
        MissingData: there is none, or it cannot be reached.
    """
    address = f"{root.rstrip('/')}/{MANIFEST}"
    try:
        with fsspec.open(address, "rt", encoding="utf-8") as file:
            text: str = file.read()
    except (OSError, ImportError, ValueError) as error:
        raise MissingData(
            f"cannot read '{address}': {str(error) or type(error).__name__}. An address must be that of a packed data "
            "set ('resnet-zoo data pack'), and its file system one that fsspec has a package for."
        ) from error
    return text


@dataclass(frozen=True)
class Copies:
    """Files of a packed data set elsewhere, copied when they are needed.

    Args:
        root: its address.
        folder: for the copies.
    """

    root: str
    folder: Path

    @classmethod
    def of(cls, root: str, manifest: str) -> Copies:
        """The copies of this state of an address, in the user's cache folder."""
        key = hashlib.sha256(f"{root}\0{manifest}".encode()).hexdigest()[:24]
        folder = cache_folder("packed") / key
        folder.mkdir(parents=True, exist_ok=True)
        return cls(root, folder)

    def __call__(self, shard: Shard) -> str:
        """Path of a copy of a shard; made now if it is not there yet, by one process while others wait.

        Raises:
            DamagedFile: what was received does not have the checksum.
            MissingData: it cannot be received.
        """
        path = self.folder / shard.name
        if not path.exists():
            with path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not path.exists():
                    self._copy(shard, path)
        return str(path)

    def _copy(self, shard: Shard, path: Path) -> None:
        address = f"{self.root.rstrip('/')}/{shard.name}"
        digest = hashlib.sha256()
        with replacing(path) as temporary:
            try:
                with fsspec.open(address, "rb") as source, temporary.open("wb") as target:
                    while chunk := source.read(CHUNK):
                        digest.update(chunk)
                        target.write(chunk)
            except (OSError, ValueError) as error:
                raise MissingData(
                    f"cannot copy the shard '{address}': {str(error) or type(error).__name__}."
                ) from error
            if digest.hexdigest() != shard.sha256:
                raise DamagedFile(
                    f"the shard '{address}' is damaged: what was received does not have the checksum {shard.sha256}. "
                    "Pack the images again, or upload the shard again."
                )
