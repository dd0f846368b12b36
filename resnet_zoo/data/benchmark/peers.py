"""The loaders of others, on the very same bytes: torchvision's reference training, timm's, torchvision's fast way.

The first two decode and resize with Pillow in the workers of a DataLoader. torchvision's also converts and normalises
there (references/classification/presets.py); timm hands on uint8 and normalises on the device (timm/data/loader.py).
The fast way is ``decode_jpeg`` and the v2 transforms on uint8.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.io import ImageReadMode
from torchvision.transforms import v2

from resnet_zoo.data.benchmark.contenders import Job, pids_of
from resnet_zoo.data.decode import decode_image
from resnet_zoo.data.sources import ResidentImages
from resnet_zoo.errors import InvalidValue, UnknownName, unknown_name

Collate = Callable[[list[Any]], Any]
Read = Callable[[Any, int], Any]
_RGB = ImageReadMode.RGB.value


class MissingPeer(UnknownName):
    """A package to compare with is not installed."""


class Peer:
    """Somebody else's transform and collate function in torch's DataLoader.

    Args:
        name: for the table.
        delivers: what comes out, in words.
        job: what to do.
        transform: of what ``read`` returns.
        collate: makes a batch of pairs of an image and a label; None is torch's own.
        read: makes of a source and a position what the transform takes; by default a Pillow image.
    """

    def __init__(
        self,
        name: str,
        delivers: str,
        job: Job,
        transform: Callable[[Any], Any],
        collate: Collate | None = None,
        read: Read | None = None,
    ) -> None:
        self.name, self.delivers = name, delivers
        self._loader: DataLoader[Any] = DataLoader(
            _Pictures(job, transform, read or _picture),
            batch_size=job.batch_size,
            shuffle=False,
            num_workers=job.num_workers,
            collate_fn=collate,
            persistent_workers=job.num_workers > 0,
        )

    def batches(self) -> Iterator[int]:
        """One pass."""
        for _, labels in self._loader:
            yield len(labels)

    def worker_processes(self) -> list[int]:
        """Those of the loader."""
        return pids_of(self._loader._iterator)

    def close(self) -> None:
        """End the workers."""
        if self._loader._iterator is not None and self._loader.num_workers:
            self._loader._iterator._shutdown_workers()  # type: ignore[attr-defined]
            self._loader._iterator = None


class _Pictures(Dataset[tuple[Any, int]]):
    """Images of a job, transformed."""

    def __init__(self, job: Job, transform: Callable[[Any], Any], read: Read) -> None:
        self._source, self._positions, self._transform = job.source, job.positions, transform
        self._read = read
        self._labels = job.source.labels.numpy()

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, number: int) -> tuple[Any, int]:
        position = self._positions[number]
        return self._transform(self._read(self._source, position)), int(self._labels[position])


def _picture(source: Any, position: int) -> Image.Image:
    if isinstance(source, ResidentImages):
        return Image.fromarray(source.images[position % len(source.images)].numpy())
    stored = source.store.read(position)
    if stored.ndim == 3:
        return Image.fromarray(np.asarray(stored))
    return Image.open(io.BytesIO(stored.tobytes())).convert("RGB")


def _decoded(source: Any, position: int) -> Tensor:
    stored = source.store.read(position)
    if stored.ndim == 3:
        return torch.from_numpy(stored).permute(2, 0, 1)
    try:  # the operator, because the function around it warns each time
        decoded: Tensor = torch.ops.image.decode_jpeg(torch.from_numpy(stored), _RGB, False)
    except RuntimeError:  # ImageNet has files that it does not read
        return decode_image(stored, source.index.path(position))
    return decoded


def torchvision_peer(job: Job) -> Peer:
    """Torchvision's reference; for images held in memory, its usual pad, crop and flip."""
    mean, std = list(job.data.normalization.mean), list(job.data.normalization.std)
    finish = [
        transforms.PILToTensor(),
        transforms.ConvertImageDtype(torch.float),
        transforms.Normalize(mean, std),
    ]
    size = job.data.image_size
    if isinstance(job.source, ResidentImages):
        start = [transforms.RandomCrop(size, padding=size // 8), transforms.RandomHorizontalFlip()]
    elif job.split == "train":
        start = [transforms.RandomResizedCrop(size), transforms.RandomHorizontalFlip()]
    else:
        center = job.data.evaluation_transform()
        start = [transforms.Resize(center.short_side), transforms.CenterCrop(size)]
    chosen = start if job.split == "train" or not isinstance(job.source, ResidentImages) else []
    return Peer("torchvision", "float32, normalised", job, transforms.Compose([*chosen, *finish]))


def decode_jpeg_peer(job: Job) -> Peer:
    """Torchvision's fast way, for JPEG files: ``decode_jpeg``, then the antialiased v2 transforms on uint8.

    Raises:
        MissingPeer: this torchvision has no such decoder any more.
        InvalidValue: the data set is held in memory.
    """
    if isinstance(job.source, ResidentImages):
        raise InvalidValue(
            "decode_jpeg reads files, and this data set is held in memory. Compare with --against torchvision."
        )
    if not hasattr(torch.ops.image, "decode_jpeg"):
        raise MissingPeer(
            "--against decode_jpeg needs a torchvision that has decode_jpeg; this one does not."
        )
    size = job.data.image_size
    if job.split == "train":
        steps = [v2.RandomResizedCrop(size, antialias=True), v2.RandomHorizontalFlip()]
    else:
        steps = [v2.Resize(job.data.evaluation_transform().short_side, antialias=True), v2.CenterCrop(size)]
    return Peer("decode_jpeg", "uint8", job, v2.Compose(steps), read=_decoded)


def timm_peer(job: Job) -> Peer:
    """Timm's transform with bilinear resampling and without further augmentation, and its collate function.

    Raises:
        MissingPeer: timm is not installed.
        InvalidValue: the data set is held in memory, for which timm has no transform.
    """
    if isinstance(job.source, ResidentImages):
        raise InvalidValue(
            "timm has no pipeline for small images held in memory. Compare with --against torchvision."
        )
    try:
        create_transform = importlib.import_module("timm.data.transforms_factory").create_transform
        fast_collate = importlib.import_module("timm.data.loader").fast_collate
    except ImportError as error:
        raise MissingPeer(
            f"--against timm needs the package timm, which cannot be imported: {error}."
        ) from error
    size, training = job.data.image_size, job.split == "train"
    transform = create_transform(
        size,
        is_training=training,
        use_prefetcher=True,
        color_jitter=None,
        interpolation="bilinear",
        crop_pct=size / job.data.evaluation_transform().short_side,
    )
    return Peer("timm", "uint8", job, transform, fast_collate)


PEERS: dict[str, Callable[[Job], Peer]] = {
    "torchvision": torchvision_peer,
    "timm": timm_peer,
    "decode_jpeg": decode_jpeg_peer,
}


def check_peers(names: list[str]) -> None:
    """Refuse names that are no peer's.

    Raises:
        UnknownName: there is no such peer.
    """
    for name in names:
        if name not in PEERS:
            raise unknown_name("peer", name, PEERS, f"Use --against {','.join(PEERS)}.")
