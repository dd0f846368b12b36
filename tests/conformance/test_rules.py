"""Each rule notices the fault that it is there for, and a sound net keeps all of them."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from resnet_zoo.conformance import Case, RuleBroken, check, examine, rules
from resnet_zoo.errors import UnknownName

RULES = {rule.name: rule for rule in rules}


class SoundNet(nn.Module):
    """A convolution, a norm, a projection, the mean over the image; what is derived from it breaks one rule."""

    input_size = 8

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__()
        self.num_features = 6
        self.conv = nn.Conv2d(in_channels, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.last = nn.Conv2d(4, 6, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(self.norm(self.conv(images)).relu()).mean((2, 3))


def sound(*, in_channels: int = 3) -> SoundNet:
    """A net that keeps every rule."""
    return SoundNet(in_channels)


@pytest.mark.parametrize("rule", rules, ids=str)
def test_a_sound_net_keeps(rule: Any) -> None:
    check(rule, sound)


def test_rules_have_names_and_texts_of_their_own() -> None:
    assert len(RULES) == len(rules)
    for rule in rules:
        assert rule.promise
        assert rule.remedy
        assert str(rule) == rule.name


# Faults, each in a class of its own


class NoFeatures(SoundNet):
    def __init__(self) -> None:
        super().__init__()
        self.num_features = "six"  # type: ignore[assignment]


class Flat(SoundNet):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images)[:, :5]


class InPairs(SoundNet):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images)[: len(images) // 2 * 2]


class Tuples(SoundNet):
    def forward(self, images: Tensor) -> tuple[Tensor]:  # type: ignore[override]
        return (super().forward(images),)


class Infinite(SoundNet):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) / images.std((1, 2, 3), unbiased=False, keepdim=True)[:, :, 0, 0]


class Noisy(SoundNet):
    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.dropout(super().forward(images), 0.5, training=True)


class Neighbours(SoundNet):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images - images.mean(0, keepdim=True))


class Stuck(SoundNet):
    def train(self, mode: bool = True) -> Stuck:
        super().train(mode)
        self.norm.eval()
        return self


class Counting(SoundNet):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(images)


class Switching(SoundNet):
    def forward(self, images: Tensor) -> Tensor:
        self.eval()
        return super().forward(images)


class Unused(SoundNet):
    def __init__(self) -> None:
        super().__init__()
        self.forgotten = nn.Linear(2, 2)


class Frozen(SoundNet):
    def __init__(self) -> None:
        super().__init__()
        self.conv.weight.requires_grad_(False)


class Rounded(SoundNet):
    def forward(self, images: Tensor) -> Tensor:
        return self.last((self.norm(self.conv(images)) * 4).round()).mean((2, 3))


class Hidden(SoundNet):
    def __init__(self) -> None:
        super().__init__()
        self.offset = torch.randn(6)

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) + self.offset


class Late(SoundNet):
    def forward(self, images: Tensor) -> Tensor:
        if not hasattr(self, "late"):
            self.late = nn.Parameter(torch.ones(6))
        return super().forward(images) * self.late


class Unpicklable(SoundNet):
    def __init__(self) -> None:
        super().__init__()
        self.activation = lambda x: x.relu()


class OneOfAKind(SoundNet):
    def __deepcopy__(self, memo: object) -> OneOfAKind:
        return self


class FixedType(SoundNet):
    def forward(self, images: Tensor) -> Tensor:
        return torch.zeros(len(images), 6).index_add(0, torch.arange(len(images)), super().forward(images))


class Viewing(SoundNet):
    def forward(self, images: Tensor) -> Tensor:
        maps = self.last(self.norm(self.conv(images)).relu())
        return maps.view(len(images), -1).view(len(images), 6, 64).mean(2)


class Ordered(SoundNet):
    def forward(self, images: Tensor) -> Tensor:
        maps = self.last(self.norm(self.conv(images)).relu())
        return maps.as_strided((len(images), 6, 4), (6 * 64, 64, 1)).mean(2)


class Branching(SoundNet):
    def forward(self, images: Tensor) -> Tensor:
        features = super().forward(images)
        return features if features.sum().item() > 0 else 2 * features


def build(
    net: Callable[[], nn.Module], before: Callable[[], object] = lambda: None
) -> Callable[..., nn.Module]:
    """A builder of a net, announcing the net's own class."""

    def built() -> nn.Module:
        """A net with a fault."""
        before()
        return net()

    built.__annotations__["return"] = net if isinstance(net, type) else nn.Module
    return built


SHARED = nn.Conv2d(3, 4, 3, padding=1)


def with_shared_layer() -> nn.Module:
    net = SoundNet()
    net.conv = SHARED
    return net


def with_python_s_randomness() -> nn.Module:
    net = SoundNet()
    net.last.bias.data.fill_(random.random())
    return net


def without_types(*, width=4) -> SoundNet:  # type: ignore[no-untyped-def]
    """A net."""
    return SoundNet()


def without_default(*, width: int) -> SoundNet:
    """A net."""
    return SoundNet()


def returning_a_number() -> int:
    """A number."""
    return 3


def returning_another_class() -> Flat:
    """A net of another class."""
    return SoundNet()  # type: ignore[return-value]


def ignoring_in_channels(*, in_channels: int = 3) -> SoundNet:
    """A net that always takes three channels."""
    return SoundNet()


FAULTS: list[tuple[str, Callable[..., Any], str]] = [
    ("signature", without_types, "no type is given for width"),
    ("signature", without_default, "no default is given for width"),
    ("signature", returning_a_number, "not a class of nn.Module"),
    ("construction", returning_another_class, "the builder returned SoundNet, not Flat"),
    ("construction", build(SoundNet, lambda: 1 / 0), "ZeroDivisionError: division by zero"),
    ("num_features", build(NoFeatures), "num_features is 'six'"),
    (
        "reproducible_construction",
        build(with_python_s_randomness),
        "the same seed gave different values of last.bias",
    ),
    ("independent_instances", build(with_shared_layer), "share the memory of conv.weight, conv.bias"),
    ("output_shape", build(Flat), r"2 images of 8x8 gave features of shape \(2, 5\), expected \(2, 6\)"),
    ("output_shape", build(InPairs), r"3 images of 8x8 gave features of shape \(2, 6\), expected \(3, 6\)"),
    ("output_shape", build(Tuples), "a tuple instead of a tensor"),
    ("finite_output", build(Infinite), "black images in eval mode: 12 of 12 features are infinite"),
    ("deterministic_evaluation", build(Noisy), "two passes differ by"),
    ("batch_independence", build(Neighbours), "the first image's features change by"),
    ("train_eval_switch", build(Stuck), r"train\(True\) does not reach norm"),
    ("train_eval_switch", build(Counting), "a forward pass in eval mode changes calls"),
    ("train_eval_switch", build(Switching), r"a forward pass after train\(True\) changes the mode"),
    ("in_channels", ignoring_in_channels, "in_channels=1, images of 1 channels: RuntimeError"),
    (
        "global_state",
        build(SoundNet, lambda: torch.manual_seed(0)),
        "torch's random state, which is seeded anew",
    ),
    ("global_state", build(SoundNet, lambda: torch.set_grad_enabled(False)), "changes the gradient mode"),
    ("global_state", build(SoundNet, lambda: torch.set_grad_enabled(True)), "changes the gradient mode"),
    (
        "global_state",
        build(SoundNet, lambda: torch.set_default_dtype(torch.float64)),
        "changes the default dtype",
    ),
    ("global_state", build(SoundNet, lambda: random.seed(0)), "changes Python's random state"),
    ("no_unused_parameters", build(Unused), "no gradient reaches forgotten.weight, forgotten.bias"),
    ("gradients", build(Frozen), r"frozen \(requires_grad=False\): conv.weight"),
    ("gradients", build(Rounded), "gradient zero everywhere: conv.weight, conv.bias, norm.weight, norm.bias"),
    ("state_dict", build(Hidden), "the restored net's features differ by"),
    ("state_dict", build(Late), "RuntimeError.*late"),
    ("pickle", build(Unpicklable), "Can't (pickle|get) .*lambda"),
    ("deep_copy", build(OneOfAKind), "a deep copy shares the memory of conv.weight"),
    ("bfloat16", build(FixedType), "RuntimeError"),
    ("channels_last", build(Viewing), "RuntimeError: view size is not compatible"),
    ("channels_last", build(Ordered), "features differ by"),
    ("compile", build(Branching), "item"),
]


@pytest.mark.parametrize(
    ("rule", "builder", "seen"), FAULTS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_fault_breaks_its_rule(rule: str, builder: Callable[..., Any], seen: str) -> None:
    with pytest.raises(
        RuleBroken, match=rf"(?s)breaks the rule '{rule}'.*\nseen: .*{seen}.*\ndo: \w"
    ) as caught:
        check(RULES[rule], builder)
    assert RULES[rule].remedy in str(caught.value)


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
