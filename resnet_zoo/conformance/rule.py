"""What a rule is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from resnet_zoo.conformance.case import Case


class NotApplicable(Exception):
    """Raised by a rule's check where the backbone does not offer what the rule is about; the text says what."""


@dataclass(frozen=True)
class Rule:
    """One thing that a backbone must keep.

    Attributes:
        name: what the rule is called in reports and tests.
        promise: what holds where it is kept, in one line.
        remedy: what to do where it is broken.
        check: returns what was seen where the rule is broken, None where it is kept. An exception counts as broken.
        needed_by_others: whether no later rule can be tried when this one is broken.
    """

    name: str
    promise: str
    remedy: str
    check: Callable[[Case], str | None]
    needed_by_others: bool = False

    def __str__(self) -> str:
        return self.name
