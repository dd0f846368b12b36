"""Who is called in a training step, found out once for all steps of an epoch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.core.hooks import DataHooks
from lightning.pytorch.utilities.signature_utils import is_param_in_hook_signature

HOOKS_OF_A_STEP = (
    "on_train_batch_start",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "on_train_batch_end",
)
"""Of callbacks and the module."""


class StepHooks:
    """The hooks of a step that somebody has written, bound and in Lightning's order: callbacks first, then the module.

    Args:
        trainer: in the middle of a fit.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.module = module = trainer.lightning_module
        self._written = {name: self._hooks_of(name) for name in HOOKS_OF_A_STEP}
        # where Lightning notes which hook is at work; setting the attribute would ask whether it is a parameter
        self._notes = vars(module)
        self._takes_index = is_param_in_hook_signature(module.training_step, "batch_idx", min_args=2)
        self._transfer = self._hooks_of_transfer()

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a hook of all that have it.

        Returns:
            what the module's answers.
        """
        of_callbacks, own = self._written[name]
        if own is None and not of_callbacks:
            return None
        notes = self._notes
        before = notes["_current_fx_name"]
        notes["_current_fx_name"] = name
        for hook in of_callbacks:
            hook(self.trainer, self.module, *arguments)
        answer = None if own is None else own(*arguments)
        notes["_current_fx_name"] = before
        return answer

    def named(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function under a name, which whatever it logs is filed under."""
        notes = self._notes
        before = notes["_current_fx_name"]
        notes["_current_fx_name"] = name
        answer = function(*arguments)
        notes["_current_fx_name"] = before
        return answer

    def on_device(self, batch: Any) -> Any:
        """The batch as the step takes it: moved, and changed on the device by whoever has written a hook for that."""
        batch = self.trainer.precision_plugin.convert_input(batch)
        for hook, arguments in self._transfer:
            batch = hook(batch, *arguments)
        return batch

    def arguments_of_step(self, batch: Any, batch_idx: int) -> OrderedDict[str, Any]:
        """Of ``training_step``, whose second parameter is optional."""
        arguments = OrderedDict(batch=batch)
        if self._takes_index:
            arguments["batch_idx"] = batch_idx
        return arguments

    def _hooks_of(self, name: str) -> tuple[list[Callable[..., Any]], Callable[..., Any] | None]:
        """Of the callbacks, and of the module."""
        callbacks = [getattr(callback, name) for callback in self.trainer.callbacks]  # type: ignore[attr-defined]
        own = getattr(self.module, name)
        return [hook for hook in callbacks if callable(hook)], own if callable(own) else None

    def _hooks_of_transfer(self) -> list[tuple[Callable[..., Any], tuple[Any, ...]]]:
        """The three hooks of a batch on its way to the device, of the module or of the data module."""
        strategy, selector = self.trainer.strategy, self.trainer._data_connector._datahook_selector
        assert selector is not None
        before = selector.get_instance("on_before_batch_transfer").on_before_batch_transfer
        transfer = selector.get_instance("transfer_batch_to_device").transfer_batch_to_device
        after = selector.get_instance("on_after_batch_transfer").on_after_batch_transfer
        found: list[tuple[Callable[..., Any], tuple[Any, ...]]]
        found = [(before, (0,)), (transfer, (strategy.root_device, 0)), (after, (0,))]
        is_written = getattr(before, "__func__", before) is not DataHooks.on_before_batch_transfer
        return found if is_written else found[1:]
