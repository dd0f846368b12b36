"""A LightningModule whose steps cost less."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import LightningModule


class LeanModule(LightningModule):
    """Spares a step what Lightning does dozens of times in it.

    Lightning notes the name of each hook on the module before and after it calls it. Setting an attribute of a
    ``torch.nn.Module`` asks first whether it is a parameter, a module or a buffer.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        """As ``torch.nn.Module``'s, but the name of a hook is only noted."""
        if name == "_current_fx_name":
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)
