"""Forward pass, backward pass and update of one batch as Lightning makes them, with less on the way.

See ``lean_loop``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loops.optimization.automatic import ClosureResult, _AutomaticOptimization
from lightning.pytorch.plugins.precision import MixedPrecision, Precision
from lightning.pytorch.strategies import Strategy
from torch import Tensor
from torch.optim import Optimizer

from resnet_zoo.callbacks.step_hooks import StepHooks


class LeanOptimization(_AutomaticOptimization):
    """Optimizes when it is given hooks as Lightning does, and without them lets Lightning do it.

    Args:
        trainer: for which.
    """

    def __init__(self, trainer: Trainer) -> None:
        super().__init__(trainer)
        self.hooks: StepHooks | None = None
        self._is_direct = False

    def begin_epoch(self, hooks: StepHooks | None) -> None:
        """Take the hooks of an epoch, or none, and see whether anybody stands between loss, gradients and update."""
        self.hooks = hooks
        self._is_direct = hooks is not None and is_direct(self.trainer)

    def _training_step(self, kwargs: OrderedDict[str, Any]) -> ClosureResult:
        if self.hooks is None:
            return super()._training_step(kwargs)
        trainer = self.trainer
        output = self.hooks.named("training_step", trainer.strategy.training_step, *kwargs.values())
        if isinstance(output, Tensor) and trainer.accumulate_grad_batches == 1:
            return ClosureResult(output)
        if output is None and trainer.world_size > 1:
            raise RuntimeError(
                "training_step returned None, which it must not where there are several ranks."
            )
        return ClosureResult.from_training_step_output(output, trainer.accumulate_grad_batches)

    def _on_before_zero_grad(self, optimizer: Optimizer) -> None:
        if self.hooks is None:
            super()._on_before_zero_grad(optimizer)
            return
        progress = self.optim_progress.optimizer.zero_grad
        progress.increment_ready()
        self.hooks.call("on_before_zero_grad", optimizer)
        progress.increment_started()

    def _make_backward_fn(self, optimizer: Optimizer) -> Callable[[Tensor], None] | None:
        if self.hooks is None or self._skip_backward:
            return super()._make_backward_fn(optimizer)
        hooks, strategy = self.hooks, self.trainer.strategy
        if not self._is_direct:
            return lambda loss: hooks.named("backward", strategy.backward, loss, optimizer)

        def backward(loss: Tensor) -> None:
            strategy.pre_backward(loss)
            hooks.call("on_before_backward", loss)
            hooks.named("backward", hooks.module.backward, loss)
            hooks.call("on_after_backward")
            strategy.post_backward(loss)

        return backward

    def _optimizer_step(self, batch_idx: int, train_step_and_backward_closure: Callable[[], Any]) -> None:
        if self.hooks is None or not self._is_direct:
            super()._optimizer_step(batch_idx, train_step_and_backward_closure)
            return
        trainer, hooks, optimizer = self.trainer, self.hooks, self.trainer.optimizers[0]

        def closure() -> Any:
            loss = train_step_and_backward_closure()
            hooks.call("on_before_optimizer_step", optimizer)
            if trainer.gradient_clip_val is not None:
                hooks.named("configure_gradient_clipping", self._clip, optimizer)
            return loss

        progress = self.optim_progress.optimizer.step
        progress.increment_ready()
        hooks.named("optimizer_step", optimizer.step, closure)
        progress.increment_completed()

    def _clip(self, optimizer: Optimizer) -> None:
        trainer = self.trainer
        trainer.lightning_module.configure_gradient_clipping(
            optimizer, trainer.gradient_clip_val, trainer.gradient_clip_algorithm
        )


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
