"""The common layers and how weights start."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from resnet_zoo.backbones import layers
from resnet_zoo.errors import InvalidValue


def test_same_padding_keeps_the_size() -> None:
    for kernel_size in (1, 3, 7):
        assert layers.conv(3, 4, kernel_size)(torch.zeros(1, 3, 9, 9)).shape == (1, 4, 9, 9)


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_a_layer_has_a_bias_only_without_norm(norm: layers.Norm) -> None:
    convolution = layers.conv_layer(3, 4, 3, activation="relu", norm=norm).get_submodule("conv")
    linear = layers.linear_layer(3, 4, activation="relu", norm=norm).get_submodule("linear")
    assert (convolution.bias is None) is (linear.bias is None) is (norm == "batch")


def test_the_norm_can_be_watched_even_where_there_is_none() -> None:
    layer = layers.conv_layer(1, 1, 3, activation="relu", norm="none")
    seen = []
    layer.get_submodule("norm").register_forward_hook(
        lambda _module, _inputs, output: seen.append(output.min().item())
    )
    response = layer(torch.randn(1, 1, 8, 8))
    assert seen[0] < 0 <= response.min()


def test_he_keeps_the_variance_of_gradients() -> None:
    convolution = layers.conv(32, 64, 3, bias=True)
    layers.initialize(convolution, "he")
    assert convolution.weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.03)
    assert convolution.bias is not None
    assert not convolution.bias.any()


def test_xavier_balances_both_directions() -> None:
    linear = nn.Linear(100, 300)
    layers.initialize(linear, "xavier")
    assert linear.weight.std().item() == pytest.approx(math.sqrt(2 / 400), rel=0.03)
    assert linear.weight.abs().max() <= math.sqrt(6 / 400)


def test_lecun_keeps_the_variance_of_responses() -> None:
    linear = nn.Linear(100, 300)
    layers.initialize(linear, "lecun")
    assert linear.weight.std().item() == pytest.approx(math.sqrt(1 / 100), rel=0.03)
    assert linear.weight.abs().max() <= math.sqrt(3 / 100)


def test_torch_leaves_weights_alone() -> None:
    linear = nn.Linear(5, 5)
    before = linear.weight.clone()
    layers.initialize(linear, "torch")
    assert torch.equal(linear.weight, before)
    assert linear.bias.any()


def test_wrong_choices_list_the_right_ones() -> None:
    with pytest.raises(
        InvalidValue, match=r"activation='gelu' is not known\. Choose one of 'relu', 'tanh', 'sigmoid'"
    ):
        layers.make_activation("gelu")  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match=r"norm='layer' is not known\. Choose one of 'batch', 'none'"):
        layers.make_norm("layer", 3)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match=r"initialization='orthogonal'.*'he', 'xavier', 'lecun', 'torch'"):
        layers.initialize(nn.Linear(1, 1), "orthogonal")  # type: ignore[arg-type]


def test_counts_and_probabilities_are_checked() -> None:
    with pytest.raises(InvalidValue, match="width=0 must be a whole number of at least 1"):
        layers.check_positive(depth=3, width=0)
    for dropout in (-0.1, 1.0):
        with pytest.raises(InvalidValue, match=f"dropout={dropout} must be a probability"):
            layers.check_probability(dropout=dropout)
