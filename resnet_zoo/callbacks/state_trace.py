"""What a training carries from one update to the next outside of its checkpoints, written down update by update."""

from __future__ import annotations

import hashlib
import json
import random
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

_LONGEST_VALUE = 60
_PLAIN = (bool, int, float, str, type(None))
_OWN_PACKAGES = ("resnet_zoo", "lightning", "torch")


class StateTrace(Callback):
    """Writes, before every update, a sum of all weights and whatever else could change what the update computes.

    That is: attributes of the net's modules that ``state_dict`` does not hold, attributes of a learning-rate schedule
    and of callbacks from outside of this package, and the states of Python's and NumPy's generators. torch's generators
    are seeded before every batch (``StepSeeds``). A resumed training whose values are not those of one that went
    straight through has lost them.

    A file per rank holds one JSON object a line: ``update`` (the number made before), ``weights`` (their sum), and
    ``values``: all of them in the first line, those that changed in each other. Every update waits for the device.

    Args:
        folder: where ``state-0.jsonl`` and so on go; it must exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._written: dict[str, str] = {}

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Write one line at the beginning of an update."""
        if batch_idx % trainer.accumulate_grad_batches:
            return
        values = dict(_values(trainer, pl_module))
        changed = {name: value for name, value in values.items() if self._written.get(name) != value}
        self._written = values
        weights = _sum_of(pl_module.state_dict().values())
        line = {"update": trainer.global_step, "weights": weights, "values": changed}
        with (self.folder / f"state-{trainer.global_rank}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _values(trainer: Trainer, pl_module: LightningModule) -> Iterator[tuple[str, str]]:
    yield "Python's random generator", _digest(repr(random.getstate()))
    yield "NumPy's random generator", _digest(repr(np.random.get_state(legacy=False)))
    for name, child in pl_module.named_children():
        for path, module in child.named_modules(prefix=name):
            yield from _of_module(path, module)
    schedule = getattr(pl_module, "lr_schedule", None)
    if schedule is not None and not isinstance(schedule, nn.Module):
        yield from _attributes("lr_schedule", vars(schedule))
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if type(callback).__module__.partition(".")[0] not in _OWN_PACKAGES:
            yield from _attributes(type(callback).__name__, vars(callback))


def _of_module(path: str, module: nn.Module) -> Iterator[tuple[str, str]]:
    """Attributes that are no parameter, buffer or child, and buffers that are not saved."""
    yield from _attributes(path, {k: v for k, v in vars(module).items() if k not in _KEPT_BY_TORCH})
    unsaved = module._non_persistent_buffers_set
    yield from _attributes(path, {k: v for k, v in module.named_buffers(recurse=False) if k in unsaved})


_KEPT_BY_TORCH = frozenset(vars(nn.Module()))


def _attributes(owner: str, values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        text = _described(value)
        if text is not None:
            yield f"{owner}.{name}", text if len(text) <= _LONGEST_VALUE else _digest(text)


def _described(value: Any) -> str | None:
    """A text that is another one if the value is; None for what is not looked into."""
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, Tensor):
        return f"tensor of {value.numel():,} numbers, sum {_sum_of([value])}"
    if isinstance(value, np.ndarray):
        return f"array of {value.size:,} numbers {_digest(value.tobytes().hex())}"
    if isinstance(value, random.Random):
        return f"generator {_digest(repr(value.getstate()))}"
    if isinstance(value, np.random.Generator):
        return f"generator {_digest(repr(value.bit_generator.state))}"
    if isinstance(value, torch.Generator):
        return f"generator {_digest(value.get_state().numpy().tobytes().hex())}"
    if isinstance(value, dict):
        return _joined([_described(part) for item in value.items() for part in item])
    if isinstance(value, (list, tuple, deque)):
        return _joined([_described(content) for content in value])
    if isinstance(value, (set, frozenset)):
        # A set's own order varies.
        return _joined(sorted((_described(content) for content in value), key=str))
    return None


def _joined(texts: list[str | None]) -> str | None:
    known = [text for text in texts if text is not None]
    return f"[{', '.join(known)}]" if len(known) == len(texts) else None


def _sum_of(tensors: Iterable[Tensor]) -> float:
    """The sum over tensors in double precision, in their order: the same for the same numbers."""
    sums = [_on_a_device_with_float64(tensor.detach()).double().sum() for tensor in tensors if tensor.numel()]
    return float(torch.stack([one.to(sums[0].device) for one in sums]).sum()) if sums else 0.0


def _on_a_device_with_float64(tensor: Tensor) -> Tensor:
    return tensor.cpu() if tensor.device.type == "mps" else tensor


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
