"""Counting parameters and multiply-adds."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import resnet_zoo as rz
from resnet_zoo.complexity import count_parameters, measure_complexity


class TwoPaths(nn.Module):
    """One convolution used twice, a parameter of its own, and a pair as output of a child."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.twin = self.conv
        self.scale = nn.Parameter(torch.ones(4))
        self.split = Halves()

    def forward(self, images: Tensor) -> Tensor:
        first, second = self.split(self.conv(self.conv(images)))
        return (first * second).mean((2, 3)) * self.scale[:2]


class Halves(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x[:, :2], x[:, 2:]


@pytest.mark.parametrize(
    ("layer", "parameters", "multiply_adds"),
    [
        (nn.Conv2d(3, 8, 3, padding=1), 3 * 8 * 9 + 8, 10 * 10 * 3 * 8 * 9),
        (nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), 3 * 8 * 9, 5 * 5 * 3 * 8 * 9),
        (nn.Conv2d(3, 6, (1, 5), groups=3, bias=False), 6 * 5, 10 * 6 * 6 * 5),
        (nn.ConvTranspose2d(3, 8, 2, stride=2, bias=False), 3 * 8 * 4, 10 * 10 * 3 * 8 * 4),
        (nn.Sequential(nn.Flatten(), nn.Linear(300, 7)), 300 * 7 + 7, 300 * 7),
        (nn.Linear(10, 7), 77, 3 * 10 * 70),
        (nn.BatchNorm2d(3), 6, 0),
        (nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)), 0, 0),
    ],
)
def test_layers_by_hand(layer: nn.Module, parameters: int, multiply_adds: int) -> None:
    complexity = measure_complexity(layer, 10)
    assert (complexity.parameters, complexity.multiply_adds) == (parameters, multiply_adds)


def test_shared_parameters_count_once_and_repeated_calls_each_time() -> None:
    complexity = measure_complexity(TwoPaths(), 6, in_channels=4)
    assert complexity.parameters == count_parameters(TwoPaths()) == 4 * 4 * 9 + 4
    assert complexity.multiply_adds == 2 * 36 * 4 * 4 * 9
    assert complexity.output_size_of["conv"] == (4, 6, 6)
    assert "split" not in complexity.output_size_of


def test_parts_add_up() -> None:
    complexity = measure_complexity(rz.create_model("resnet20_cifar", num_classes=10), 32)
    assert (complexity.parameters, complexity.multiply_adds) == (
        269_722,
        40_551_040,
    )  # arXiv:1512.03385, table 6
    parts = [complexity.multiply_adds_within(part) for part in ("backbone.stem", "backbone.stages", "head")]
    assert sum(parts) == complexity.multiply_adds == complexity.multiply_adds_within("")
    assert complexity.multiply_adds_within("backbone.stages.1") > 0
    assert complexity.multiply_adds_within("backbone.stage") == 0
    assert complexity.output_size_of["backbone.stages.2"] == (64, 8, 8)


def test_images_need_not_be_square() -> None:
    layer = nn.Conv2d(3, 1, 1)
    assert measure_complexity(layer, (4, 6)).multiply_adds == 3 * 24


def test_the_model_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    measure_complexity(model, 4)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_hooks_are_removed_when_the_forward_fails() -> None:
    model = nn.Sequential(nn.Conv2d(5, 4, 1)).train()
    with pytest.raises(RuntimeError, match="channels"):
        measure_complexity(model, 4)
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_the_meta_device_allocates_nothing() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Conv2d(3, 64, 7), nn.Flatten(), nn.Linear(64 * 1018**2, 1000, bias=False))
    assert measure_complexity(model, 1024).parameters == 64 * 3 * 49 + 64 + 64 * 1018**2 * 1000


def test_a_dtype_other_than_float32() -> None:
    assert measure_complexity(nn.Conv2d(3, 1, 1).double(), 2).multiply_adds == 12
