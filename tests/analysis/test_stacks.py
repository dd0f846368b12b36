import pytest
import torch
from torch import nn

from resnet_zoo.analysis import LayerStack
from resnet_zoo.errors import InvalidValue


@pytest.mark.parametrize("shortcut", [False, True])
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_images_to_logits(activation: str, norm: bool, shortcut: bool) -> None:
    model = LayerStack(
        4, draw=nn.init.xavier_uniform_, activation=activation, norm=norm, shortcut=shortcut, num_classes=7
    )
    assert model(torch.randn(2, 3, 8, 8)).shape == (2, 7)
    assert len([module for module in model.modules() if isinstance(module, nn.Conv2d)]) == 4


def test_shortcuts_add_the_input() -> None:
    model = LayerStack(3, draw=nn.init.zeros_, shortcut=True, width=3)
    images = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(model.layers(images), images)


def test_without_shortcuts_zero_weights_end_everything() -> None:
    assert not LayerStack(3, draw=nn.init.zeros_).layers(torch.rand(2, 3, 8, 8)).any()


def test_a_depth_or_activation_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"depth=0: a stack has at least one layer"):
        LayerStack(0, draw=None)
    with pytest.raises(InvalidValue, match=r"activation='gelu' is not known\. Choose one of 'sigmoid'"):
        LayerStack(1, draw=None, activation="gelu")  # type: ignore[arg-type]
