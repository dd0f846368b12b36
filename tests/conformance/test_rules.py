"""Each rule notices the fault that it is there for, and a sound net keeps all of them."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from resnet_zoo.conformance import Case, RuleBroken, check, examine, rules
from resnet_zoo.errors import UnknownName
from tests.conformance.faulty_nets import FAULTS, SoundNet, build, sound

RULES = {rule.name: rule for rule in rules}


@pytest.mark.parametrize("rule", rules, ids=str)
def test_a_sound_net_keeps(rule: Any) -> None:
    check(rule, sound)


def test_rules_have_names_and_texts_of_their_own() -> None:
    assert len(RULES) == len(rules)
    for rule in rules:
        assert rule.promise
        assert rule.remedy
        assert str(rule) == rule.name


@pytest.mark.parametrize(
    ("rule", "builder", "seen"), FAULTS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_fault_breaks_its_rule(rule: str, builder: Callable[..., Any], seen: str) -> None:
    with pytest.raises(
        RuleBroken, match=rf"(?s)breaks the rule '{rule}'.*\nseen: .*{seen}.*\ndo: \w"
    ) as caught:
        check(RULES[rule], builder)
    assert RULES[rule].remedy in str(caught.value)


def test_a_seed_is_noticed_where_the_process_has_the_same_one() -> None:
    before = random.getstate()
    random.seed(0)
    with pytest.raises(RuleBroken, match="changes Python's random state"):
        check(RULES["global_state"], build(SoundNet, lambda: random.seed(0)))
    random.setstate(before)


def test_what_a_fault_does_to_its_surroundings_ends_with_the_rule() -> None:
    before = random.getstate(), torch.get_default_dtype(), torch.is_grad_enabled()
    for rule in rules:
        for change in (lambda: random.seed(0), lambda: torch.set_default_dtype(torch.float64)):
            if rule.name != "compile":
                with contextlib.suppress(RuleBroken):
                    check(rule, build(SoundNet, change))
    assert before == (random.getstate(), torch.get_default_dtype(), torch.is_grad_enabled())


def test_later_rules_are_not_tried_on_what_cannot_be_built() -> None:
    outcomes = {outcome.rule.name: outcome for outcome in examine(build(SoundNet, lambda: 1 / 0))}
    assert list(outcomes) == list(RULES)
    assert outcomes["signature"].verdict == "pass"
    assert outcomes["construction"].verdict == "fail"
    assert outcomes["gradients"].verdict == "none"
    assert outcomes["gradients"].seen == "not tried, since 'construction' is broken"


def test_a_net_of_a_fixed_image_size() -> None:
    class Fixed(SoundNet):
        input_size = 10

        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images.reshape(-1, 3, 10, 10))

    case = Case(build(Fixed))
    assert case.image_size == 10
    check(RULES["output_shape"], case)
    check(RULES["in_channels"], case)  # not offered, and so not asked for


def test_no_image_size_works() -> None:
    class Picky(SoundNet):
        def forward(self, images: Tensor) -> Tensor:
            raise ValueError("never enough")

    with pytest.raises(RuleBroken, match=r"no image size works\. 8x8: ValueError: never enough"):
        check(RULES["output_shape"], build(Picky))


def test_rules_take_names_and_arguments() -> None:
    check(RULES["num_features"], "resnet20_cifar", width=2)
    check(RULES["num_features"], "resnet_zoo.backbones.resnet20_cifar")
    with pytest.raises(UnknownName, match="Did you mean 'resnet20_cifar'"):
        check(RULES["num_features"], "resnet2O_cifar")
