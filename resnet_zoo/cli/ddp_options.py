"""How the ranks of a training exchange their gradients: settings of torch's DistributedDataParallel, typed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook, fp16_compress_hook

from resnet_zoo.errors import InvalidValue

COMPRESSIONS = {"bf16": bf16_compress_hook, "fp16": fp16_compress_hook}


@dataclass
class DdpSettings:
    """How gradients are exchanged between ranks, by torch's DistributedDataParallel; of use with several ranks only.

    Args:
        gradient_as_bucket_view: let gradients lie in the buffers that are sent, which spares a copy and the memory of
            one; results are the same. On by default.
        static_graph: promise that every update takes the same way through the net, so that it is looked at only once;
            results are the same. Not with accumulated batches, whose first ones exchange nothing.
        bucket_cap_mb: the size of these buffers in MiB, 25 by default; communication begins when the first is full.
        compression: send gradients in half precision, which changes results; on GPUs only. bf16 keeps float32's range,
            in fp16 large gradients overflow.

    Raises:
        InvalidValue: a bucket of no size.
    """

    gradient_as_bucket_view: bool | None = None
    static_graph: bool | None = None
    bucket_cap_mb: float | None = None
    compression: Literal["bf16", "fp16"] | None = None

    def __post_init__(self) -> None:
        if self.bucket_cap_mb is not None and not self.bucket_cap_mb > 0:
            raise InvalidValue(
                f"ddp.bucket_cap_mb={self.bucket_cap_mb:g} is not allowed. Use a size above 0, e.g. 25."
            )


def settle_ddp(settings: DdpSettings, trainer: Trainer) -> dict[str, Any]:
    """Give the settings to the trainer's strategy, which makes its DistributedDataParallel with them later.

    Returns:
        what is in force, for the record; nothing where gradients are not exchanged in this way.

    Raises:
        InvalidValue: something is set that would have no effect here, or that the strategy has otherwise.
    """
    given = {name: value for name, value in asdict(settings).items() if value is not None}
    strategy = trainer.strategy
    if not isinstance(strategy, DDPStrategy) or trainer.world_size == 1:
        if given:
            have = "one rank" if trainer.world_size == 1 else f"the strategy {type(strategy).__name__}"
            raise InvalidValue(
                f"ddp.{', ddp.'.join(given)}: the setting is about gradients that ranks exchange with the strategy "
                f"'ddp', and this training has {have}. Leave it out, or use several devices."
            )
        return {}
    configured = strategy._ddp_kwargs
    accumulated = trainer.accumulate_grad_batches
    if (settings.static_graph or configured.get("static_graph")) and accumulated > 1:
        where, without = (
            ("ddp", "--ddp.static_graph false")
            if settings.static_graph
            else ("trainer.strategy", "it to false")
        )
        raise InvalidValue(
            f"{where}: static_graph=true fails in torch where the first batches of an update exchange nothing, and "
            f"trainer.accumulate_grad_batches={accumulated}. Set {without}."
        )
    hook = _hook(settings, strategy)
    options = {"gradient_as_bucket_view": True, **{k: v for k, v in given.items() if k != "compression"}}
    for name, value in options.items():
        if name in given and configured.get(name, value) != value:
            raise InvalidValue(
                f"ddp.{name}={value}, but trainer.strategy has {name}={configured[name]}. Leave one of them out."
            )
        configured.setdefault(name, value)
    if hook is not None:
        strategy._ddp_comm_hook = hook
    return {**{name: configured[name] for name in options}, "compression": settings.compression}


def _hook(settings: DdpSettings, strategy: DDPStrategy) -> Any:
    """What compresses the gradients; None if nothing does."""
    if settings.compression is None:
        return None
    device = strategy.root_device.type
    if device != "cuda":
        raise InvalidValue(
            f"ddp.compression={settings.compression}: gradients are compressed by NCCL's hooks, between GPUs, and this "
            f"training runs on {device}. Leave it out."
        )
    if strategy._ddp_comm_hook is not None:
        raise InvalidValue(
            f"ddp.compression={settings.compression}, but trainer.strategy has a ddp_comm_hook already. Leave one of "
            "them out."
        )
    return COMPRESSIONS[settings.compression]
