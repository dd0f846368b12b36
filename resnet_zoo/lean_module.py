"""A LightningModule whose steps cost less."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import LightningModule

PLAIN = (str, int, float, type(None))


class LeanModule(LightningModule):
    """Spares a step what setting an attribute of a ``torch.nn.Module`` costs, which asks first whether it is a
    parameter, a module or a buffer. A step does so often: Lightning notes on the module the name of every hook.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        """As ``torch.nn.Module``'s, which does no more than this for a plain value in place of a plain attribute."""
        if isinstance(value, PLAIN) and name in self.__dict__:
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)
