"""What every backbone is, and how one builder becomes several named ones."""

import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar, cast

from jaxtyping import Float
from torch import Tensor, nn

NamedBuilder = TypeVar("NamedBuilder", bound=Callable[..., nn.Module])


class Backbone(nn.Module):
    """Images in, feature vectors out: everything of a network but its classifying head.

    The nets of this package inherit from it; a plugin's net need not, it only has to keep the same contract.

    Attributes:
        num_features: length of the feature vector, the only thing a head needs to know.
        built_by: the registered name and the arguments that made this net, noted by its registered builder.
    """

    num_features: int
    built_by: dict[str, Any]

    def forward(
        self, images: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch {self.num_features}"]:
        raise NotImplementedError


class Block(nn.Module):
    """What a stage is made of: feature maps in, feature maps out.

    Attributes:
        out_channels: channels of the output.
        drop_path: what a residual block passes its branch through before the addition; the identity by default.
    """

    out_channels: int
    drop_path: nn.Module


def preset(builder: NamedBuilder, module: str, name: str, summary: str = "", **fixed: object) -> NamedBuilder:
    """A builder of its own name with some arguments of ``builder`` fixed.

    The free arguments keep names, types, defaults and their lines of the docstring, so that one signature serves a
    whole table of depths. The fixed ones are gone from the signature; giving one is a ``TypeError``.

    Args:
        builder: a function with keyword arguments, each described on one line of its docstring.
        module: ``__name__`` of the module that the new builder belongs to.
        name: the new builder's name.
        summary: the first line of its docstring; by default the one of ``builder``.
        fixed: arguments of ``builder`` and their values.
    """
    whole = inspect.signature(builder)
    free = [parameter for parameter in whole.parameters.values() if parameter.name not in fixed]
    signature = whole.replace(parameters=free)

    def build(**arguments: Any) -> nn.Module:
        return builder(**fixed, **signature.bind(**arguments).arguments)

    described = inspect.getdoc(builder) or ""
    for argument in fixed:
        described = re.sub(rf"\n +{argument}: .*", "", described)
    general, _, rest = described.partition("\n")
    values = ", ".join(f"{argument}={value!r}" for argument, value in fixed.items())
    build.__name__ = build.__qualname__ = name
    build.__module__ = module
    build.__doc__ = f"{summary or general} Here with {values}.\n{rest}"
    build.__annotations__ = {parameter.name: parameter.annotation for parameter in free}
    build.__annotations__["return"] = whole.return_annotation
    vars(build)["__signature__"] = signature
    return cast(NamedBuilder, build)
