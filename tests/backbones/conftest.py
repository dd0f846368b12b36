"""In this folder every ``forward`` of the backbones is checked against the shapes in its annotations.

Not where networks are only counted: the checks would take more time than the networks.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator

import pytest
from beartype import beartype
from jaxtyping import jaxtyped
from torch import nn

from resnet_zoo.backbones import golden


def annotated_modules() -> Iterator[type[nn.Module]]:
    """The classes of the backbones whose ``forward`` says which shapes go in and come out."""
    files = {*golden.SOURCES, "shortcuts", "highway", "preact", "blur", "drop_path"}
    for file in sorted(files):
        module = importlib.import_module(f"resnet_zoo.backbones.{file}")
        for _, value in inspect.getmembers(module, inspect.isclass):
            if value.__module__ == module.__name__ and "forward" in vars(value):
                yield value


@pytest.fixture(scope="module", autouse=True)
def checked_shapes(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in annotated_modules() if request.path.name != "test_golden.py" else ():
            patch.setattr(module, "forward", jaxtyped(module.forward, typechecker=beartype))
        yield
