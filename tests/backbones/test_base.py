"""Builders made from builders."""

from __future__ import annotations

import inspect

import pytest
from torch import nn

from resnet_zoo.backbones.base import preset


def general(*, depth: int, width: int = 3, label: str | None = None) -> nn.Linear:
    """A net for tests.

    Args:
        depth: how deep.
        width: how wide.
        label: what for.
    """
    return nn.Linear(depth, width)


fixed = preset(general, __name__, "net5", depth=5)


def test_the_fixed_argument_is_gone_and_the_rest_stays() -> None:
    signature = inspect.signature(fixed)
    assert list(signature.parameters) == ["width", "label"]
    assert signature.parameters["width"].default == 3
    assert signature.return_annotation in (nn.Linear, "nn.Linear")
    assert fixed.__annotations__.keys() == {"width", "label", "return"}


def test_it_has_its_own_name_and_documentation() -> None:
    assert (fixed.__name__, fixed.__module__) == ("net5", __name__)
    assert inspect.getdoc(fixed) == (
        "A net for tests. Here with depth=5.\n\nArgs:\n    width: how wide.\n    label: what for."
    )


def test_it_builds() -> None:
    assert fixed().weight.shape == (3, 5)
    assert fixed(width=4).weight.shape == (4, 5)


def test_the_fixed_argument_cannot_be_given() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'depth'"):
        fixed(depth=6)
