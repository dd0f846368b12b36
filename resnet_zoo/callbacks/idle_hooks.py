"""Take out of every step what does nothing: hooks that nobody has written, and a profiler that nobody asked for.

Lightning calls two dozen hooks in a step, of the module and of every callback, most of them empty, each in a context of
its profiler. For a small net that is most of what a framework costs.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.profilers import PassThroughProfiler

from resnet_zoo.callbacks import lightning_source
from resnet_zoo.callbacks.lean_loop import LeanEpochLoop
from resnet_zoo.callbacks.step_hooks import HOOKS_OF_A_STEP

_NOTHING: AbstractContextManager[None] = nullcontext()


class NoProfiler(PassThroughProfiler):
    """Records nothing, like the profiler that it takes the place of, but without making a generator at every hook."""

    def profile(self, action_name: str) -> AbstractContextManager[None]:  # type: ignore[override]
        """A context that does nothing."""
        return _NOTHING


def lean_trainer(settings: dict[str, Any], module: LightningModule) -> Trainer:
    """A trainer with these settings for this module that pays for no hook and no profiler that are not there."""
    trainer = Trainer(**{**settings, "profiler": settings.get("profiler") or NoProfiler()})
    leave_out_idle_hooks(module, trainer.callbacks)  # type: ignore[attr-defined]
    if not lightning_source.changed():
        loop = trainer.fit_loop.epoch_loop
        trainer.fit_loop.epoch_loop = LeanEpochLoop(trainer, loop.min_steps, loop.max_steps)
    return trainer


def leave_out_idle_hooks(module: LightningModule, callbacks: Iterable[Callback]) -> None:
    """Let Lightning pass over the hooks of a step that ``module`` and ``callbacks`` inherit and have not written.

    It passes over a hook that is not callable. To be called before the training; what is written stays as it is.
    """
    for owner, base in [(module, LightningModule), *((callback, Callback) for callback in callbacks)]:
        for name in HOOKS_OF_A_STEP:
            if name not in vars(owner) and getattr(type(owner), name) is getattr(base, name):
                setattr(owner, name, None)
