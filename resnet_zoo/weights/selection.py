"""Which weights of a checkpoint are meant: those that were trained, or their exponential moving average."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from resnet_zoo.errors import InvalidValue
from resnet_zoo.metrics import WeightsName

AVERAGE = "ema"
"""The key of a checkpoint under which its average lies, with ``state_dict`` in it."""


def has_average(checkpoint: Mapping[str, Any]) -> bool:
    """Whether a checkpoint holds averaged weights beside the raw ones."""
    average = checkpoint.get(AVERAGE)
    return isinstance(average, Mapping) and isinstance(average.get("state_dict"), Mapping)


def choose_weights(checkpoint: Mapping[str, Any], asked: WeightsName | None, file: object) -> WeightsName:
    """The weights to take from a checkpoint.

    Args:
        checkpoint: its content.
        asked: what the user wants; None for the ones that the run was judged by: the average if its
            ``checkpoint.monitor`` is a score of the average, so that ``best.ckpt`` gives the score for which it was
            kept, else the raw ones.
        file: its name, for the message.

    Raises:
        InvalidValue: the average is asked for, and there is none.
    """
    if asked == "ema" and not has_average(checkpoint):
        raise InvalidValue(
            f"'{file}' holds no averaged weights: the run that wrote it kept none. Leave --weights out, or train with "
            "--ema.decay 0.9999."
        )
    if asked is not None:
        return asked
    monitor = str((checkpoint.get("run") or {}).get("monitor", ""))
    return "ema" if has_average(checkpoint) and monitor.startswith("val/ema_") else "raw"


def state_of(checkpoint: Mapping[str, Any], weights: WeightsName) -> dict[str, Tensor]:
    """The state dict of a checkpoint's raw or averaged weights."""
    raw: dict[str, Tensor] = checkpoint["state_dict"]
    return {**raw, **checkpoint[AVERAGE]["state_dict"]} if weights == "ema" else raw
