"""Trying rules on a backbone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from resnet_zoo.conformance.case import Case
from resnet_zoo.conformance.construction import CONSTRUCTION, SURROUNDINGS
from resnet_zoo.conformance.evaluation import EVALUATION
from resnet_zoo.conformance.execution import EXECUTION
from resnet_zoo.conformance.gradients import GRADIENTS
from resnet_zoo.conformance.rule import NotApplicable, Rule
from resnet_zoo.conformance.saving import SAVING
from resnet_zoo.conformance.surroundings import surroundings_restored

rules: tuple[Rule, ...] = (*CONSTRUCTION, *EVALUATION, *SURROUNDINGS, *GRADIENTS, *SAVING, *EXECUTION)
"""Every rule, in the order in which they are tried."""


class RuleBroken(AssertionError):
    """A backbone does not keep a rule; the text says which, what was seen, and what to do."""


@dataclass(frozen=True)
class Outcome:
    """How a rule went.

    Attributes:
        rule: the rule.
        verdict: "pass", "fail", or "none" where it does not apply or could not be tried.
        seen: for "fail" what was seen, for "none" the reason.
    """

    rule: Rule
    verdict: str
    seen: str = ""


def check(rule: Rule, backbone: str | Callable[..., nn.Module] | Case, **arguments: Any) -> None:
    """Try one rule, as a test does.

    Args:
        rule: one of ``rules``.
        backbone: a registered name, an import path, a builder, or a ``Case`` that several checks share.
        arguments: for the builder.

    Raises:
        RuleBroken: the rule is not kept.
    """
    case = backbone if isinstance(backbone, Case) else Case(backbone, **arguments)
    outcome = _try(rule, case)
    if outcome.verdict == "fail":
        raise RuleBroken(
            f"{case.name} breaks the rule {rule.name!r}: {rule.promise}\nseen: {outcome.seen}\ndo: {rule.remedy}"
        )


def examine(backbone: str | Callable[..., nn.Module] | Case, **arguments: Any) -> Iterator[Outcome]:
    """Try all rules one after the other; where one that others need is broken, the rest is not tried."""
    case = backbone if isinstance(backbone, Case) else Case(backbone, **arguments)
    obstacle: Rule | None = None
    for rule in rules:
        if obstacle is not None:
            yield Outcome(rule, "none", f"not tried, since {obstacle.name!r} is broken")
            continue
        outcome = _try(rule, case)
        if outcome.verdict == "fail" and rule.needed_by_others:
            obstacle = rule
        yield outcome


def _try(rule: Rule, case: Case) -> Outcome:
    try:
        with surroundings_restored():
            seen = rule.check(case)
    except NotApplicable as reason:
        return Outcome(rule, "none", str(reason))
    except Exception as error:  # a backbone under examination may fail in any way
        return Outcome(rule, "fail", f"{type(error).__name__}: {error}")
    return Outcome(rule, "pass") if seen is None else Outcome(rule, "fail", seen)
