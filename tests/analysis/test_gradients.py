import math

import pytest
import torch
from torch import Tensor, nn

from resnet_zoo.analysis import (
    LayerStack,
    first_to_last_ratio,
    gradient_norms,
    gradients_over_updates,
    main_norms,
)
from resnet_zoo.model import create_model


def batch(size: int = 16) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(size, 3, 8, 8, generator=generator), torch.randint(0, 10, (size,), generator=generator)


def test_norms_are_those_of_the_gradient() -> None:
    torch.manual_seed(0)
    model = LayerStack(3, draw=nn.init.kaiming_normal_)
    images, labels = batch()
    nn.functional.cross_entropy(model(images), labels).backward()
    expected = [float(layer.conv.weight.grad.norm()) for layer in model.layers]
    assert main_norms(gradient_norms(model, images, labels)) == pytest.approx(expected)


def test_the_model_stays_as_it_is() -> None:
    model = LayerStack(3, draw=nn.init.kaiming_normal_, norm=True).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random_state = torch.get_rng_state()
    gradients_over_updates(model, [batch()] * 3, learning_rate=0.5)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(random_state, torch.get_rng_state())


def test_updates_change_the_gradients() -> None:
    torch.manual_seed(0)
    model = LayerStack(3, draw=nn.init.kaiming_normal_)
    first, second = gradients_over_updates(model, [batch(), batch()], learning_rate=0.1)
    assert main_norms(first) == main_norms(gradient_norms(model, *batch()))
    assert main_norms(first) != main_norms(second)


def test_head_and_shortcuts_are_told_apart() -> None:
    torch.manual_seed(0)
    model = create_model("resnet_cifar", num_classes=10, depth=8, width=4, shortcut="B")
    parts = {gradient.layer: gradient.part for gradient in gradient_norms(model, *batch())}
    assert parts["backbone.stem.conv"] == "main"
    assert parts["backbone.stages.1.0.shortcut.conv"] == "shortcut"
    assert parts["head"] == "head"


def test_a_gradient_that_float32_cannot_square_is_not_zero() -> None:
    torch.manual_seed(0)
    model = LayerStack(50, draw=nn.init.xavier_uniform_, activation="sigmoid")
    ratio = first_to_last_ratio(main_norms(gradient_norms(model, *batch())))
    assert 0 < ratio < 1e-25


def test_no_gradient_has_no_ratio() -> None:
    model = LayerStack(2, draw=nn.init.zeros_)
    assert math.isnan(first_to_last_ratio(main_norms(gradient_norms(model, *batch()))))
