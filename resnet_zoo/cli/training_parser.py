"""The parser of the training commands: jsonargparse's, with our messages, and numbers that stay what they are."""

from __future__ import annotations

import inspect
from typing import Any, NoReturn

from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningArgumentParser

from resnet_zoo.cli.arguments import Arguments
from resnet_zoo.cli.parse_errors import explain
from resnet_zoo.errors import UserMistake

BATCH_LIMITS = (*(f"limit_{loop}_batches" for loop in ("train", "val", "test", "predict")), "overfit_batches")
"""Keys of the trainer that are a number of batches, or a share of them."""


class _Refused(SystemExit):
    """Carries our explanation past jsonargparse's own error handling, which catches every ordinary exception."""

    def __init__(self, mistake: UserMistake) -> None:
        super().__init__(2)
        self.mistake = mistake


class TrainingParser(LightningArgumentParser):
    """Raises an explained mistake where jsonargparse would print its usage, and knows a number from a share."""

    arguments: Arguments = Arguments()

    def add_class_arguments(
        self, theclass: type, nested_key: str | None = None, *args: Any, **more: Any
    ) -> Any:
        """Add a class's arguments; those of the trainer that count batches keep a whole number whole.

        Lightning writes ``Optional[Union[int, float]]``. ``typing`` takes that for the union of the other order where
        somebody has written that one before, jsonargparse then tries float first, and 1.0 stands for all batches.
        """
        if theclass is not Trainer:
            return super().add_class_arguments(theclass, nested_key, *args, **more)
        added = super().add_class_arguments(theclass, nested_key, *args, skip=set(BATCH_LIMITS), **more)
        assert nested_key is not None
        assert self.groups is not None
        for key in BATCH_LIMITS:
            self.groups[nested_key].add_argument(
                f"--{nested_key}.{key}",
                type=int | float | None,
                default=inspect.signature(Trainer).parameters[key].default,
                help="How many batches (1), or which share of them (1.0).",
            )
        return added

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        if not self.exit_on_error:  # a parser that jsonargparse made for the arguments of one class
            super().error(message, ex)
        known = [action.dest for action in self._actions if action.dest != "help"]
        raise _Refused(explain(str(ex or message), self.arguments, known)) from ex

    def parse(self, words: list[str]) -> Namespace:
        """The config that the words describe.

        Raises:
            UserMistake: they are not as they must be.
        """
        try:
            return self.parse_args(words)
        except _Refused as refused:
            raise refused.mistake from refused.__cause__
