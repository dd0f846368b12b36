"""A net that keeps every rule, and for each rule nets that break it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


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
