"""Forward pass, backward pass and update of one batch as Lightning makes them, with less on the way.

See ``lean_loop``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loops.optimization.automatic import Closure, ClosureResult, _AutomaticOptimization
from lightning.pytorch.loops.utilities import _block_parallel_sync_behavior
from lightning.pytorch.plugins.precision import MixedPrecision, Precision
from lightning.pytorch.strategies import Strategy
from torch import Tensor
from torch.optim import Optimizer

from resnet_zoo.callbacks.step_hooks import StepHooks


class LeanOptimization(_AutomaticOptimization):
    """Optimizes by itself where nobody stands between loss, gradients and update; else Lightning does.

    Args:
        trainer: for which.
    """

    def __init__(self, trainer: Trainer) -> None:
        super().__init__(trainer)
        self._hooks: StepHooks | None = None

    def begin_epoch(self, hooks: StepHooks | None) -> None:
        """Take the hooks of an epoch, or none, and see whether anybody stands in between."""
        self._hooks = hooks if hooks is not None and is_direct(self.trainer) else None
        self._step = training_step_of(self.trainer)

    def run(self, optimizer: Optimizer, batch_idx: int, kwargs: OrderedDict[str, Any]) -> dict[str, Any]:
        """Loss and gradients of a batch, and the update if it is an update's last.

        Args:
            optimizer: that updates.
            batch_idx: the batch's number within the epoch.
            kwargs: of ``training_step``, in the order of its parameters.

        Returns:
            the loss, detached, and what else ``training_step`` returned; nothing where it returned None.

        Raises:
            RuntimeError: the optimizer did not ask for gradients, or one of several ranks has none.
        """
        hooks = self._hooks
        if hooks is None or self._skip_backward:
            return super().run(optimizer, batch_idx, kwargs)
        result: ClosureResult | None = None

        def closure() -> Tensor | None:
            nonlocal result
            result = self._differentiate(hooks, optimizer, batch_idx, kwargs)
            return result.loss

        if self.trainer.fit_loop._should_accumulate():
            with _block_parallel_sync_behavior(self.trainer.strategy):
                closure()
        else:
            self._update(hooks, optimizer, closure)
        if result is None:
            raise RuntimeError(
                f"{type(optimizer).__name__}.step() did not call the closure that it was given."
            )
        return {} if result.loss is None else result.asdict()

    def _update(self, hooks: StepHooks, optimizer: Optimizer, closure: Callable[[], Tensor | None]) -> None:
        trainer = self.trainer

        def closure_of_update() -> Tensor | None:
            loss = closure()
            hooks.call("on_before_optimizer_step", optimizer)
            if trainer.gradient_clip_val is not None:
                hooks.named("configure_gradient_clipping", self._clip, optimizer)
            return loss

        progress = self.optim_progress.optimizer.step
        progress.increment_ready()
        hooks.named("optimizer_step", optimizer.step, closure_of_update)
        progress.increment_completed()

    @torch.enable_grad()
    def _differentiate(
        self, hooks: StepHooks, optimizer: Optimizer, batch_idx: int, arguments: OrderedDict[str, Any]
    ) -> ClosureResult:
        """Loss and gradients of a batch, added to those of the update's batches before it."""
        trainer, strategy = self.trainer, self.trainer.strategy
        result = self._result_of(hooks.named("training_step", self._step, *arguments.values()))
        loss = result.closure_loss
        if batch_idx % trainer.accumulate_grad_batches == 0:
            progress = self.optim_progress.optimizer.zero_grad
            progress.increment_ready()
            hooks.call("on_before_zero_grad", optimizer)
            progress.increment_started()
            zero = hooks.module.optimizer_zero_grad
            hooks.named("optimizer_zero_grad", zero, trainer.current_epoch, batch_idx, optimizer)
            progress.increment_completed()
        if loss is None:
            Closure.warning_cache.warn("training_step returned None: this batch has no part in the update.")
            return result
        strategy.pre_backward(loss)
        hooks.call("on_before_backward", loss)
        hooks.named("backward", hooks.module.backward, loss)
        hooks.call("on_after_backward")
        strategy.post_backward(loss)
        return result

    def _result_of(self, output: Any) -> ClosureResult:
        """What ``training_step`` returned, divided by the number of batches of an update."""
        trainer = self.trainer
        if isinstance(output, Tensor) and trainer.accumulate_grad_batches == 1:
            return ClosureResult(output)
        if output is None and trainer.world_size > 1:
            raise RuntimeError(
                "training_step returned None, which it must not where there are several ranks."
            )
        return ClosureResult.from_training_step_output(output, trainer.accumulate_grad_batches)

    def _clip(self, optimizer: Optimizer) -> None:
        trainer = self.trainer
        trainer.lightning_module.configure_gradient_clipping(
            optimizer, trainer.gradient_clip_val, trainer.gradient_clip_algorithm
        )


def training_step_of(trainer: Trainer) -> Callable[..., Any]:
    """The module's own ``training_step`` where no strategy has wrapped it and no precision plugin has a context for it;
    else the strategy's.
    """
    module, strategy = trainer.lightning_module, trainer.strategy
    is_bare = (
        strategy.model is module
        and _has_only(strategy, Strategy, "training_step")
        and _has_only(trainer.precision_plugin, Precision, "train_step_context", "forward_context")
    )
    return module.training_step if is_bare else strategy.training_step


def is_direct(trainer: Trainer) -> bool:
    """Whether gradients and updates are torch's alone: nobody scales a loss, steps by hand or has hooks around it."""
    module, strategy, precision = trainer.lightning_module, trainer.strategy, trainer.precision_plugin
    # without a scaler, as in bfloat16, MixedPrecision does as the plain one
    scales = getattr(precision, "scaler", None) is not None
    kinds = (Precision,) if scales else (Precision, MixedPrecision)
    return (
        _has_only(module, LightningModule, "optimizer_step", "configure_gradient_clipping")
        and _has_only(strategy, Strategy, "backward", "optimizer_step", "handles_gradient_accumulation")
        and any(_has_only(precision, kind, *AROUND_THE_UPDATE) for kind in kinds)
    )


AROUND_THE_UPDATE = (
    "pre_backward",
    "backward",
    "post_backward",
    "optimizer_step",
    "_after_closure",
    "_wrap_closure",
)
"""What a precision plugin may do to losses, gradients and updates."""


def _has_only(owner: object, base: type, *names: str) -> bool:
    """Whether it has nothing under these names but what the base class has."""
    return all(
        name not in vars(owner) and getattr(type(owner), name) is getattr(base, name) for name in names
    )
